import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BrokerConnection, OutboundMessage, Receipt } from '../../../src/brokers/broker.js'
import { Connections, type LiveConnection } from '../../../src/brokers/connections.js'
import { RelayError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'

const OUTAGES = 5
const SHARE = 2
const MESSAGE: OutboundMessage = { topic: 'orders', requestId: 'r', headers: {}, value: null }

describe('the circuits of the adapters', () => {
  it('are told by name, once the adapter has a connection', async () => {
    const connections = connectionsOf({ up: 'hash-up', down: 'hash-down', idle: 'hash-idle' })
    connect(connections, 'hash-up', 'up')
    await breakCircuit(connect(connections, 'hash-down', 'down'))
    assert.deepEqual(positions(connections), { up: 'closed', down: 'open' })
  })

  it('are one for adapters of the same settings', async () => {
    const connections = connectionsOf({ one: 'same', other: 'same' })
    await breakCircuit(connect(connections, 'same', 'one'))
    assert.deepEqual(positions(connections), { one: 'open', other: 'open' })
  })

  it('begin anew with changed settings, and end with the adapter', async () => {
    const connections = connectionsOf({ changed: 'before', removed: 'hash' })
    await breakCircuit(connect(connections, 'before', 'changed'))
    await breakCircuit(connect(connections, 'hash', 'removed'))
    connections.retain(new Map([['changed', 'after']]))
    connect(connections, 'after', 'changed')
    assert.deepEqual(positions(connections), { changed: 'closed' })
  })
})

describe('all adapters', () => {
  it('refuse messages once the circuit of every one is open', async () => {
    const connections = connectionsOf({ one: 'a', other: 'b' })
    await breakCircuit(connect(connections, 'a', 'one'))
    connect(connections, 'b', 'other')
    assert.equal(connections.allRefuse(SHARE), false)
    await breakCircuit(connect(connections, 'b', 'other'))
    assert.equal(connections.allRefuse(SHARE), true)
  })

  it('do not refuse while one has not been tried yet', async () => {
    const connections = connectionsOf({ one: 'a', fresh: 'b' })
    await breakCircuit(connect(connections, 'a', 'one'))
    assert.equal(connections.allRefuse(SHARE), false)
  })

  it('refuse while their share of sends has been out for over a second without an answer', (t) => {
    let now = 0
    t.mock.method(performance, 'now', () => now)
    const connections = connectionsOf({ silent: 'a' })
    const connection = connect(connections, 'a', 'silent', () => new Promise(() => {}))
    for (let sent = 0; sent < SHARE; sent += 1) void connection.publish({ ...MESSAGE })
    assert.equal(connections.allRefuse(SHARE), false)
    now = 1001
    assert.equal(connections.allRefuse(SHARE), true)
  })

  it('do not refuse where there are none', () => {
    assert.equal(connectionsOf({}).allRefuse(SHARE), false)
  })
})

function connectionsOf(hashes: Record<string, string>): Connections {
  const connections = new Connections(silentLog)
  connections.retain(new Map(Object.entries(hashes)))
  return connections
}

function connect(
  connections: Connections,
  hash: string,
  adapter: string,
  publish: () => Promise<Receipt> = () =>
    Promise.reject(new RelayError('BROKER_UNREACHABLE', 'nobody there')),
): LiveConnection {
  const connection: BrokerConnection = {
    publishBudgetMs: 1000,
    publish,
    check: async () => undefined,
    close: async () => undefined,
  }
  return connections.get(hash, adapter, () => connection)
}

async function breakCircuit(connection: LiveConnection): Promise<void> {
  for (let time = 0; time < OUTAGES; time += 1) await assert.rejects(connection.publish(MESSAGE))
}

function positions(connections: Connections): Record<string, string> {
  return Object.fromEntries(
    [...connections.circuits()].map(([adapter, { position }]) => [adapter, position] as const),
  )
}
