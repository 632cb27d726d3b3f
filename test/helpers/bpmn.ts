import { BpmnModdle, type ModdleElement } from 'bpmn-moddle'
import zeebe from 'zeebe-bpmn-moddle/resources/zeebe.json' with { type: 'json' }

/** Reads and writes BPMN XML with Zeebe's extension elements. */
export const moddle = new BpmnModdle({ zeebe })

function isElement(value: unknown): value is ModdleElement {
  return typeof value === 'object' && value !== null && '$type' in value
}

/** The single child under `property`, if there is one. */
export function child(element: ModdleElement, property: string): ModdleElement | undefined {
  const value = element.get(property)
  return isElement(value) ? value : undefined
}

/** The children under a list `property`; none if it is not set. */
export function children(element: ModdleElement, property: string): ModdleElement[] {
  const value = element.get(property)
  return Array.isArray(value) ? value.filter(isElement) : []
}

/** The text of an attribute, `undefined` if it is not set. */
export function attribute(element: ModdleElement, name: string): string | undefined {
  const value = element.get(name)
  return value === undefined ? undefined : String(value)
}

/** What the engine reads of a service task. */
export interface TaskExtensions {
  type: string | undefined
  retries: string | undefined
  inputs: Record<string, string | undefined>
  headers: Record<string, string | undefined>
}

export function taskExtensions(task: ModdleElement): TaskExtensions {
  const extensionElements = child(task, 'extensionElements')
  const extensions = extensionElements ? children(extensionElements, 'values') : []
  const extension = (type: string) => extensions.find((candidate) => candidate.$type === type)
  const definition = extension('zeebe:TaskDefinition')
  const mapping = extension('zeebe:IoMapping')
  const headers = extension('zeebe:TaskHeaders')
  const record = (elements: ModdleElement[], key: string, value: string) =>
    Object.fromEntries(
      elements.map((element) => [attribute(element, key) ?? '', attribute(element, value)] as const),
    )
  return {
    type: definition && attribute(definition, 'type'),
    retries: definition && attribute(definition, 'retries'),
    inputs: record(mapping ? children(mapping, 'inputParameters') : [], 'target', 'source'),
    headers: record(headers ? children(headers, 'values') : [], 'key', 'value'),
  }
}
