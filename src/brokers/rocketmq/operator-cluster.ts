import { Type } from 'typebox'
import { RelayError } from '../../core/errors.js'
import type { BrokerDescription, ClusterDescription } from '../operator.js'
import type { OperatorSession } from './operator-session.js'

const GET_BROKER_RUNTIME_INFO = 28
const MASTER_ID = '0'

const RuntimeInfo = Type.Object({ table: Type.Object({ brokerVersionDesc: Type.String() }) })

export async function describeCluster(session: OperatorSession): Promise<ClusterDescription> {
  const groups = await session.brokerGroups()
  const brokers = groups.flatMap(({ brokerName, brokerAddrs }) =>
    Object.entries(brokerAddrs)
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(async ([id, address]): Promise<BrokerDescription> => {
        const isMaster = id === MASTER_ID
        const version = await versionOf(session, address).catch((error: unknown) => {
          // What is in the name server's list may be down.
          if (error instanceof RelayError && error.retryable) return undefined
          throw error
        })
        return {
          id: isMaster ? brokerName : `${brokerName}:${id}`,
          address,
          role: isMaster ? 'master' : 'slave',
          ...(version !== undefined && { version }),
        }
      }),
  )
  const clusters = [...new Set(groups.map(({ cluster }) => cluster))].sort()
  return { clusterId: clusters.join(', ') || null, controller: null, brokers: await Promise.all(brokers) }
}

/** Such as `5.4.0`. @throws RelayError */
export async function versionOf(session: OperatorSession, address: string): Promise<string> {
  const purpose = { doing: 'reading the version of the broker' }
  const { table } = await session.askFor(RuntimeInfo, address, GET_BROKER_RUNTIME_INFO, {}, purpose)
  return table.brokerVersionDesc.replace(/^V/, '').replaceAll('_', '.')
}
