import { Type } from 'typebox'
import { type RegisteredDriver, register } from '../../src/brokers/registry.js'

/** Connections that the driver below has made, in order. */
export interface RecordedConnection {
  address: string
  settings: Record<string, unknown>
  closed: boolean
}

/** A broker in memory: takes every message, and notes which connections were made and closed. */
export function recordingDriver(kind = 'memory'): {
  driver: RegisteredDriver
  connections: RecordedConnection[]
} {
  const connections: RecordedConnection[] = []
  const driver = register<RecordedConnection>({
    kind,
    taskType: 'Memory Producer',
    inputs: ['key', 'headers'],
    acceptsNull: true,
    settings: Type.Object({
      user: Type.Optional(Type.String()),
      auth: Type.Optional(Type.Object({ password: Type.String({ secret: true }) })),
    }),
    parse: (address, settings) => ({ address, settings, closed: false }),
    connect(connection) {
      connections.push(connection)
      return {
        publishBudgetMs: 100,
        publish: async ({ topic }) => ({ kind: 'kafka', topic, partition: 0, offset: '0', timestamp: '0' }),
        check: async () => undefined,
        async close() {
          connection.closed = true
        },
      }
    },
  })
  return { driver, connections }
}
