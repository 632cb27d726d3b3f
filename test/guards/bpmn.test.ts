import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { ModdleElement } from 'bpmn-moddle'
import { applyTemplate } from '../helpers/apply-template.js'
import { attribute, child, children, moddle, taskExtensions } from '../helpers/bpmn.js'
import { parseTemplate, templateFolder } from '../helpers/element-template.js'

const folder = new URL('../../bpmn/', import.meta.url)
const diagrams = readdirSync(folder).filter((file) => file.endsWith('.bpmn'))
const xmlOf = (file: string) => readFileSync(new URL(file, folder), 'utf8')
const templates = readdirSync(templateFolder).map((file) =>
  parseTemplate(JSON.parse(readFileSync(new URL(file, templateFolder), 'utf8'))),
)

interface Box {
  name: string
  x: number
  y: number
  width: number
  height: number
}

function boxOf(name: string, owner: ModdleElement): Box | undefined {
  const bounds = child(owner, 'bounds')
  if (!bounds) return undefined
  const number = (property: string) => Number(bounds.get(property))
  return { name, x: number('x'), y: number('y'), width: number('width'), height: number('height') }
}

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

function onBorder(point: ModdleElement, box: Box): boolean {
  const x = Number(point.get('x'))
  const y = Number(point.get('y'))
  const inside = x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height
  const onSide = x === box.x || x === box.x + box.width || y === box.y || y === box.y + box.height
  return inside && onSide
}

/** What is wrong with how a diagram is drawn; nothing if all is well. */
async function drawingProblems(xml: string): Promise<string[]> {
  const { rootElement, warnings } = await moddle.fromXML(xml)
  const problems = warnings.map((warning) => warning.message)
  const elements = children(rootElement, 'rootElements').flatMap((root) => children(root, 'flowElements'))
  const drawn = children(rootElement, 'diagrams')
    .flatMap((diagram) => child(diagram, 'plane') ?? [])
    .flatMap((plane) => children(plane, 'planeElement'))
  const drawingOf = (element: ModdleElement) => drawn.find((di) => child(di, 'bpmnElement') === element)

  const boxes = new Map<ModdleElement, Box>()
  const labels: Box[] = []
  for (const element of elements.filter((candidate) => candidate.$instanceOf('bpmn:FlowNode'))) {
    const id = String(element.get('id'))
    const shape = drawingOf(element)
    const box = shape && boxOf(id, shape)
    if (!shape || !box) {
      problems.push(`${id} has no shape`)
      continue
    }
    boxes.set(element, box)
    const isEvent = element.$instanceOf('bpmn:Event')
    const label = child(shape, 'label')
    const labelBox = label && boxOf(`label of ${id}`, label)
    if (labelBox) labels.push(labelBox)
    else if (isEvent && element.get('name')) problems.push(`${id} has a name but its label no place`)
  }
  const all = [...boxes.values(), ...labels]
  for (const [index, a] of all.entries()) {
    for (const b of all.slice(index + 1)) {
      if (overlap(a, b)) problems.push(`${a.name} overlaps ${b.name}`)
    }
  }
  for (const flow of elements.filter((candidate) => candidate.$instanceOf('bpmn:SequenceFlow'))) {
    const id = String(flow.get('id'))
    const edge = drawingOf(flow)
    const points = edge ? children(edge, 'waypoint') : []
    for (const [end, point] of [
      ['sourceRef', points.at(0)],
      ['targetRef', points.at(-1)],
    ] as const) {
      const node = child(flow, end)
      const box = node && boxes.get(node)
      if (!point) problems.push(`${id} has no edge`)
      else if (box && !onBorder(point, box)) problems.push(`${id} does not touch ${box.name}`)
    }
  }
  return problems
}

async function serviceTasks(xml: string): Promise<ModdleElement[]> {
  const { rootElement } = await moddle.fromXML(xml)
  return children(rootElement, 'rootElements')
    .flatMap((root) => children(root, 'flowElements'))
    .filter((element) => element.$instanceOf('bpmn:ServiceTask'))
}

/** Fails unless the task is as the Modeler writes it when its fields are filled in from its template. */
async function assertConforms(task: ModdleElement) {
  const id = attribute(task, 'zeebe:modelerTemplate')
  const template = templates.find((candidate) => candidate.id === id)
  assert.ok(template, `no template with the id ${id}`)
  assert.equal(attribute(task, 'zeebe:modelerTemplateVersion'), String(template.version))
  assert.equal(attribute(task, 'zeebe:modelerTemplateIcon'), template.icon.contents)

  const actual = taskExtensions(task)
  const typed = { ...actual.inputs, ...actual.headers, retries: actual.retries }
  const values = Object.fromEntries(Object.entries(typed).map(([name, value]) => [name, value ?? '']))
  const [applied] = await serviceTasks(await applyTemplate(template, values, { processId: 'conforming' }))
  assert.ok(applied)
  assert.deepEqual(actual, taskExtensions(applied))
}

for (const file of diagrams) {
  describe(`the diagram ${file}`, () => {
    const xml = xmlOf(file)

    it('is drawn completely: each node and flow, none upon another', async () => {
      assert.deepEqual(await drawingProblems(xml), [])
    })

    it('is made for the engine version the worker supports', () => {
      assert.match(
        xml,
        /modeler:executionPlatform="Camunda Cloud" modeler:executionPlatformVersion="8\.6\.0"/,
      )
    })

    it('has service tasks that conform to their element templates', async () => {
      for (const task of await serviceTasks(xml)) await assertConforms(task)
    })
  })
}

describe('the diagram guard', () => {
  const xml = xmlOf('order-published.bpmn')
  const misdrawn: Array<[what: string, from: RegExp, to: string, problem: RegExp]> = [
    ['an unknown element', /<bpmn:endEvent/, '<bpmn:nonsense/><bpmn:endEvent', /nonsense/],
    [
      'a shape that is missing',
      /<bpmndi:BPMNShape id="PublishToKafka_di"[\s\S]*?<\/bpmndi:BPMNShape>/,
      '',
      /no shape/,
    ],
    [
      'a flow that is missing',
      /<bpmndi:BPMNEdge id="ToEnd_di"[\s\S]*?<\/bpmndi:BPMNEdge>/,
      '',
      /ToEnd has no edge/,
    ],
    ['a label without a place', /<dc:Bounds x="166"[^>]*>/, '', /OrderPlaced has a name/],
    ['two shapes upon another', /x="506" y="140"/, 'x="400" y="140"', /PublishToKafka overlaps Announce/],
    [
      'a flow that ends beside its task',
      /<di:waypoint x="296"/,
      '<di:waypoint x="290"',
      /ToKafka does not touch/,
    ],
  ]
  for (const [what, from, to, problem] of misdrawn) {
    it(`finds ${what}`, async () => {
      const problems = await drawingProblems(xml.replace(from, to))
      assert.match(problems.join('\n'), problem)
    })
  }

  const nonconforming: Array<[what: string, from: string, to: string]> = [
    ['an input its template does not have', 'target="key"', 'target="tag"'],
    ['a required input that is missing', '<zeebe:input source="orders-kafka" target="adapterId" />', ''],
    ['another job type', 'type="Kafka Producer"', 'type="Kafka"'],
    ['an outdated template version', 'modelerTemplateVersion="1"', 'modelerTemplateVersion="0"'],
    ['a plain value where FEEL is required', 'source="={&#34;source', 'source="{&#34;source'],
  ]
  for (const [what, from, to] of nonconforming) {
    it(`finds a task with ${what}`, async () => {
      assert.ok(xml.includes(from))
      const [task] = await serviceTasks(xml.replace(from, to))
      assert.ok(task)
      await assert.rejects(assertConforms(task))
    })
  }
})
