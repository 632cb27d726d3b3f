import { Type } from 'typebox'
import { Compile } from 'typebox/compile'

// The answers to the requests of a consumer group, as far as they are read here.

const Bytes = Type.Refine(
  Type.Unsafe<Buffer>({}),
  (value) => Buffer.isBuffer(value),
  () => 'expected bytes',
)

const Code = { errorCode: Type.Integer() }

export const FIND_COORDINATOR = {
  name: 'GroupCoordinator',
  answer: Compile(
    Type.Object({ ...Code, coordinator: Type.Object({ host: Type.String(), port: Type.Integer() }) }),
  ),
} as const

export const JOIN = {
  name: 'JoinGroup',
  answer: Compile(
    Type.Object({
      ...Code,
      generationId: Type.Integer(),
      /** None, where it failed. */
      groupProtocol: Type.Union([Type.String(), Type.Null()]),
      leaderId: Type.String(),
      memberId: Type.String(),
      /** For the leader only. */
      members: Type.Array(Type.Object({ memberId: Type.String(), memberMetadata: Bytes })),
    }),
  ),
} as const

export const SYNC = {
  name: 'SyncGroup',
  answer: Compile(Type.Object({ ...Code, memberAssignment: Type.Union([Bytes, Type.Null()]) })),
} as const

export const HEARTBEAT = { name: 'Heartbeat', answer: Compile(Type.Object(Code)) } as const

export const LEAVE = { name: 'LeaveGroup', answer: Compile(Type.Object(Code)) } as const

export const COMMIT = {
  name: 'OffsetCommit',
  answer: Compile(
    Type.Object({
      responses: Type.Array(
        Type.Object({
          topic: Type.String(),
          partitions: Type.Array(Type.Object({ ...Code, partition: Type.Integer() })),
        }),
      ),
    }),
  ),
} as const

export const COMMITTED = {
  name: 'OffsetFetch',
  answer: Compile(
    Type.Object({
      errorCode: Type.Optional(Type.Integer()),
      responses: Type.Array(
        Type.Object({
          topic: Type.String(),
          partitions: Type.Array(
            Type.Object({
              ...Code,
              partition: Type.Integer(),
              /** -1: none. */
              offset: Type.String(),
            }),
          ),
        }),
      ),
    }),
  ),
} as const
