import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyTemplate } from '../../helpers/apply-template.js'
import { attribute, children, moddle, taskExtensions } from '../../helpers/bpmn.js'
import { readTemplate } from '../../helpers/element-template.js'

const kafka = readTemplate('kafka-producer.json')
const rocketmq = readTemplate('rocketmq-producer.json')
const required = { adapterId: 'orders-kafka', topic: 'orders' }

async function apply(template: typeof kafka, values: Record<string, string>) {
  const xml = await applyTemplate(template, values, { processId: 'applied' })
  const { rootElement, warnings } = await moddle.fromXML(xml)
  assert.deepEqual(warnings, [])
  const [process] = children(rootElement, 'rootElements')
  assert.ok(process)
  const task = children(process, 'flowElements').find((element) => element.$instanceOf('bpmn:ServiceTask'))
  assert.ok(task)
  return { process, task }
}

describe('a template applied to a service task', () => {
  it('yields an executable process under the wished id', async () => {
    const { process } = await apply(kafka, required)
    assert.equal(process.get('id'), 'applied')
    assert.equal(process.get('isExecutable'), true)
  })

  it('is named on the task with its version and icon', async () => {
    const { task } = await apply(kafka, required)
    assert.equal(attribute(task, 'zeebe:modelerTemplate'), kafka.id)
    assert.equal(attribute(task, 'zeebe:modelerTemplateVersion'), String(kafka.version))
    assert.equal(attribute(task, 'zeebe:modelerTemplateIcon'), kafka.icon.contents)
  })

  it('writes the hidden job type, the defaults and what was typed, and nothing for fields left empty', async () => {
    const { task } = await apply(kafka, required)
    assert.deepEqual(taskExtensions(task), {
      type: 'Kafka Producer',
      retries: '3',
      inputs: required,
      headers: { retryBackoff: 'PT30S' },
    })
  })

  it('writes every kind of field where its binding says', async () => {
    const { task } = await apply(rocketmq, {
      adapterId: 'orders-rocketmq',
      topic: '=topicOfTheDay',
      message: '={"orderId": orderId}',
      keys: '=[orderId]',
      properties: '{"source": "shop"}',
      delayLevel: '3',
      deliverAt: '=dueAt',
      resultVariable: 'receipt',
      retries: '=attempts',
      retryBackoff: 'PT1M',
    })
    assert.deepEqual(taskExtensions(task), {
      type: 'RocketMQ Producer',
      retries: '=attempts',
      inputs: {
        adapterId: 'orders-rocketmq',
        topic: '=topicOfTheDay',
        message: '={"orderId": orderId}',
        keys: '=[orderId]',
        properties: '={"source": "shop"}',
        delayLevel: '=3',
        deliverAt: '=dueAt',
      },
      headers: { resultVariable: 'receipt', retryBackoff: 'PT1M' },
    })
  })

  it('writes no header for a default that was cleared', async () => {
    const { task } = await apply(kafka, { ...required, retryBackoff: '' })
    assert.deepEqual(taskExtensions(task).headers, {})
  })

  const refusals: Array<[why: string, values: Record<string, string>, message: RegExp]> = [
    ['a required field left empty', { topic: 'orders' }, /Adapter: must not be empty/],
    [
      'a value against the pattern of its field',
      { ...required, retryBackoff: '30 s' },
      /duration.*not "30 s"/,
    ],
    ['a topic name Kafka cannot have', { ...required, topic: 'my orders' }, /Topic:.*not "my orders"/],
    ['an expression in a plain field', { ...required, resultVariable: '=a' }, /Result variable:/],
    ['text in a number field', { ...required, partition: 'two' }, /Partition: must be a number, not "two"/],
    [
      'a field the template does not have',
      { ...required, tag: 'placed' },
      /no field tag; its fields are adapterId/,
    ],
    ['a value for the hidden job type', { ...required, type: 'Other' }, /no field type/],
  ]
  for (const [why, values, message] of refusals) {
    it(`is refused for ${why}`, async () => {
      await assert.rejects(applyTemplate(kafka, values, { processId: 'refused' }), message)
    })
  }
})
