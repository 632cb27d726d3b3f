import type { TriggerReport, WorkerOfTrigger } from '../admin/trigger-report.js'
import type { GroupPartition } from '../brokers/operator.js'
import type { GroupMove, Trigger, TriggerAction } from '../trigger/trigger.js'
import { withAdminContext } from './context.js'
import { table } from './table.js'

/** Of an adapter, by id. */
export type NameOf = (adapterId: string) => string

export async function showTrigger(name: string, options: { json?: true }): Promise<void> {
  const { trigger } = await import('../trigger/triggers.js')
  const { triggerReport } = await import('../admin/trigger-report.js')
  const { positionText } = await import('../trigger/positions.js')
  await withAdminContext(async (context) => {
    const report = await triggerReport(context, await trigger(context.database, name))
    if (options.json) {
      console.log(JSON.stringify(report, null, 2))
      return
    }
    const nameOf = adapterNames(await context.store.adapters())
    const moves = report.trigger.pendingMoves.map((move) => moveText(move, positionText(move.to)))
    const sections = [
      settingsTable(report, nameOf),
      ...(moves.length > 0 ? [`Still to be moved: ${moves.join('; ')}.`] : []),
      workersText(report),
      positionsText(report),
      lettersText(report),
    ]
    console.log(sections.join('\n\n'))
    for (const warning of report.warnings) console.error(`Warning: ${warning}.`)
  })
}

export function adapterNames(adapters: readonly { id: string; name: string }[]): NameOf {
  return (wanted) => adapters.find(({ id }) => id === wanted)?.name ?? wanted
}

/** Such as `start order v3`. */
export function actionText(action: TriggerAction, nameOf: NameOf): string {
  switch (action.kind) {
    case 'start':
      return `start ${action.processId}${action.version === null ? '' : ` v${action.version}`}`
    case 'message':
      return `message ${action.name}`
    case 'forward':
      return `forward to ${nameOf(action.adapterId)}${action.topic === null ? '' : `, topic ${action.topic}`}`
  }
}

/** Which topics, in a word. */
export function topicsText({ topics, topicPattern }: Trigger): string {
  return topicPattern === null ? topics.join(', ') : `/${topicPattern}/`
}

function settingsTable({ trigger, limits }: TriggerReport, nameOf: NameOf): string {
  const { id, name, description, state, adapterId, group, order, concurrency, filter, action } = trigger
  const { deadLetterTopic, deadLetterAdapterId, completionTimeoutMs } = trigger
  const message = action.kind === 'message' ? action : undefined
  const asAdapterSays = (value: number | undefined) =>
    value === undefined ? 'what the adapter says' : `${value}, as the adapter says`
  const rows: [field: string, value: string | number | null | undefined][] = [
    ['id', id],
    ['name', name],
    ['description', description],
    ['state', state],
    ['adapter', nameOf(adapterId)],
    [
      trigger.topicPattern === null ? 'topics' : 'topicPattern',
      trigger.topicPattern ?? trigger.topics.join(', '),
    ],
    ['filter', filter && ('sql' in filter ? filter.sql : `tag ${filter.tags.join(' or ')}`)],
    ['group', group],
    ['order', order],
    ['concurrency', concurrency ?? asAdapterSays(limits?.concurrency)],
    ['batchSize', asAdapterSays(limits?.batchSize)],
    ['action', actionText(action, nameOf)],
    ['correlationKey', message?.correlationKey],
    ['messageId', message && (message.messageId ?? 'id at the broker')],
    ['ttlMs', message?.ttlMs],
    ['activationCondition', trigger.activationCondition],
    ['variables', trigger.variables ?? (action.kind === 'forward' ? null : 'payload and attribute')],
    ['acknowledge', trigger.acknowledge],
    ['completionTimeoutMs', completionTimeoutMs],
    ['initialOffset', trigger.initialOffset],
    ['onUndeserializable', trigger.onUndeserializable],
    ['maxAttempts', trigger.maxAttempts],
    ['retryBackOffMs', trigger.retryBackOffMs],
    ['retryBackOffMaxMs', trigger.retryBackOffMaxMs],
    ['deadLetterTopic', deadLetterTopic],
    ['deadLetterAdapter', deadLetterTopic && nameOf(deadLetterAdapterId ?? adapterId)],
    ['managed', trigger.managed ? 'yes, by `bpmn-relay apply`' : 'no'],
    ['revision', trigger.revision],
    ['createdAt', trigger.createdAt.toISOString()],
    ['updatedAt', trigger.updatedAt.toISOString()],
  ]
  const shown = rows.flatMap(([field, value]) =>
    value === null || value === undefined || value === '' ? [] : [[field, String(value)]],
  )
  return table([{ title: 'FIELD' }, { title: 'VALUE' }], shown)
}

/** Such as `topic orders, partition 0 to offset 91`. */
export function moveText({ topic, partitions }: GroupMove, to: string): string {
  const of = [
    ...(topic === undefined ? [] : [`topic ${topic}`]),
    ...(partitions === undefined ? [] : [`partition ${partitions.join(', ')}`]),
  ]
  return `${of.length > 0 ? of.join(', ') : 'all'} to ${to}`
}

function workersText({ trigger, workers }: TriggerReport): string {
  if (workers.length === 0) {
    return trigger.state === 'stopped' ? 'No worker: it is stopped.' : 'No worker consumes for it just now.'
  }
  const columns = [
    { title: 'WORKER' },
    { title: 'STATE' },
    { title: 'QUEUES', align: 'right' },
    { title: 'IN HAND', align: 'right' },
    { title: 'LAG', align: 'right' },
    { title: 'LAST POLL', align: 'right' },
    { title: 'TOLD AT' },
    { title: 'REASON' },
  ] as const
  return table(columns, workers.map(workerRow))
}

function workerRow({ worker, seenAt, status }: WorkerOfTrigger): string[] {
  const { state, queues, handling, lag, pollAgeMs, reason } = status
  const lags = Object.values(lag)
  return [
    worker,
    state,
    String(queues),
    String(handling),
    lags.length === 0 ? '-' : String(lags.reduce((sum, each) => sum + each, 0)),
    pollAgeMs === null ? '-' : `${(pollAgeMs / 1000).toFixed(1)} s`,
    `${seenAt.toISOString().slice(0, 19)}Z`,
    reason ?? '',
  ]
}

function positionsText({ trigger, positions, brokerProblem }: TriggerReport): string {
  if (positions === null) return `How far it has read is not known: ${brokerProblem}`
  if (positions.length === 0) return `Group ${trigger.group} has read nothing yet.`
  const hasBrokers = positions.some(({ broker }) => broker !== undefined)
  const columns = [
    { title: 'TOPIC' },
    ...(hasBrokers ? [{ title: 'BROKER' }] : []),
    { title: hasBrokers ? 'QUEUE' : 'PARTITION', align: 'right' },
    { title: 'CURRENT', align: 'right' },
    { title: 'END', align: 'right' },
    { title: 'LAG', align: 'right' },
  ] as const
  const rows = positions.map(({ topic, broker, partition, committedOffset, endOffset, lag }) => [
    topic,
    ...(hasBrokers ? [broker ?? '-'] : []),
    String(partition),
    committedOffset ?? '-',
    endOffset ?? '-',
    lag ?? '-',
  ])
  return `${table(columns, rows)}\n${lagText(positions)}`
}

function lagText(positions: readonly GroupPartition[]): string {
  const lags = positions.flatMap(({ lag }) => (lag === null ? [] : [BigInt(lag)]))
  return `Lag in all: ${lags.reduce((sum, lag) => sum + lag, 0n)}`
}

function lettersText({ trigger, deadLettersWaiting: count }: TriggerReport): string {
  if (count === 0) return 'No dead letters wait.'
  const wait = count === 1 ? '1 dead letter waits' : `${count} dead letters wait`
  return `${wait}: \`bpmn-relay dead-letter list --trigger "${trigger.name}"\` shows ${count === 1 ? 'it' : 'them'}.`
}
