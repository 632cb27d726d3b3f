import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { Circuit } from '../../../src/brokers/circuit.js'
import { RelayError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'

const OUT_OF_SERVICE = { code: 'ADAPTER_OUT_OF_SERVICE', outcome: 'held' }
const FIRST_TRY_MS = 5000
const outage = new RelayError('BROKER_UNREACHABLE', 'nobody there')

describe('the circuit of a connection', () => {
  it('lets four outages in a row pass', async () => {
    const circuit = new Circuit(isOutage, silentLog)
    await fail(circuit, 4)
    assert.equal(await circuit.run(async () => 'sent'), 'sent')
  })

  it('refuses at once after five outages in a row', async () => {
    const circuit = new Circuit(isOutage, silentLog)
    await fail(circuit, 5)
    let sent = false
    await assert.rejects(
      circuit.run(async () => {
        sent = true
      }),
      OUT_OF_SERVICE,
    )
    assert.equal(sent, false)
  })

  it('does not mind refused messages, however many', async () => {
    const circuit = new Circuit(isOutage, silentLog)
    const refused = new RelayError('MESSAGE_TOO_LARGE', 'too large')
    for (let time = 0; time < 20; time += 1)
      await assert.rejects(
        circuit.run(() => Promise.reject(refused)),
        refused,
      )
    assert.equal(await circuit.run(async () => 'sent'), 'sent')
  })

  it('closes when one message has gone through after a pause', async (t) => {
    const circuit = await openCircuit(t)
    t.mock.timers.tick(FIRST_TRY_MS)
    assert.equal(await circuit.run(async () => 'back'), 'back')
    assert.equal(await circuit.run(async () => 'on'), 'on')
  })

  it('holds the others while one message tries', async (t) => {
    const circuit = await openCircuit(t)
    t.mock.timers.tick(FIRST_TRY_MS)
    let answer = () => {}
    const trying = circuit.run(() => new Promise<void>((resolve) => (answer = resolve)))
    assert.throws(() => circuit.assertNotTrying(), OUT_OF_SERVICE)
    answer()
    await trying
    circuit.assertNotTrying()
  })

  it('sends away at once who comes while one message tries', async (t) => {
    const circuit = await openCircuit(t)
    t.mock.timers.tick(FIRST_TRY_MS)
    let answer = () => {}
    const trying = circuit.run(() => new Promise<void>((resolve) => (answer = resolve)))
    await assert.rejects(
      circuit.run(async () => 'second'),
      OUT_OF_SERVICE,
    )
    answer()
    await trying
  })

  it('holds the message that tried in vain too, and tells why', async (t) => {
    const circuit = await openCircuit(t)
    t.mock.timers.tick(FIRST_TRY_MS)
    await assert.rejects(
      circuit.run(() => Promise.reject(outage)),
      { ...OUT_OF_SERVICE, message: /nobody there/ },
    )
  })

  it('lets the refusal of the message that tries through as it is, and closes', async (t) => {
    const circuit = await openCircuit(t)
    t.mock.timers.tick(FIRST_TRY_MS)
    const refused = new RelayError('MESSAGE_TOO_LARGE', 'too large')
    await assert.rejects(
      circuit.run(() => Promise.reject(refused)),
      refused,
    )
    assert.equal(circuit.report().position, 'closed')
  })

  it('does not mind the outage of what was sent before it opened', async (t) => {
    t.mock.timers.enable({ apis: ['Date'] })
    const circuit = new Circuit(isOutage, silentLog)
    let fall = () => {}
    const late = circuit.run(() => new Promise<void>((_, reject) => (fall = () => reject(outage))))
    await fail(circuit, 5)
    t.mock.timers.tick(FIRST_TRY_MS)
    let answer = () => {}
    const trying = circuit.run(() => new Promise<void>((resolve) => (answer = resolve)))
    fall()
    await assert.rejects(late, outage)
    answer()
    await trying
    assert.equal(circuit.report().position, 'closed')
  })

  it('reports its position and since when', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1000 })
    const circuit = new Circuit(isOutage, silentLog)
    assert.deepEqual(circuit.report(), { position: 'closed', since: new Date(1000) })
    t.mock.timers.setTime(2000)
    await fail(circuit, 5)
    t.mock.timers.setTime(3000)
    assert.deepEqual(circuit.report(), { position: 'open', since: new Date(2000) })
    t.mock.timers.setTime(2000 + FIRST_TRY_MS)
    await circuit.run(async () => {
      await Promise.resolve()
      assert.deepEqual(circuit.report(), { position: 'half-open', since: new Date(2000 + FIRST_TRY_MS) })
    })
    assert.deepEqual(circuit.report(), { position: 'closed', since: new Date(2000 + FIRST_TRY_MS) })
  })

  it('pauses for longer after a try in vain', async (t) => {
    const circuit = await openCircuit(t)
    t.mock.timers.tick(FIRST_TRY_MS)
    await assert.rejects(
      circuit.run(() => Promise.reject(outage)),
      OUT_OF_SERVICE,
    )
    t.mock.timers.tick(FIRST_TRY_MS)
    await assert.rejects(
      circuit.run(async () => 'too early'),
      OUT_OF_SERVICE,
    )
  })
})

async function openCircuit(t: TestContext): Promise<Circuit> {
  t.mock.timers.enable({ apis: ['Date'] })
  const circuit = new Circuit(isOutage, silentLog)
  await fail(circuit, 5)
  return circuit
}

async function fail(circuit: Circuit, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1)
    await assert.rejects(
      circuit.run(() => Promise.reject(outage)),
      outage,
    )
}

function isOutage(error: unknown): boolean {
  return error instanceof RelayError && error.code === 'BROKER_UNREACHABLE'
}
