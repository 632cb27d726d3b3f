import { moddle } from './bpmn.js'
import { bindingName, type ElementTemplate, type TemplateProperty } from './element-template.js'

/**
 * A deployable process `start → service task → end`, its task filled in as Camunda Modeler fills it in when somebody
 * picks the template and types the values into its fields.
 *
 * @param values by binding name: input name, header key, or `retries`; a value that begins with `=` is FEEL. A field
 *   without a value keeps its default.
 * @returns BPMN XML
 * @throws Error naming the field, where the Modeler would show none or mark it red
 */
export async function applyTemplate(
  template: ElementTemplate,
  values: Record<string, string>,
  options: { processId: string },
): Promise<string> {
  const task = moddle.create('bpmn:ServiceTask', {
    id: 'Task',
    name: template.name,
    modelerTemplate: template.id,
    modelerTemplateVersion: template.version,
    modelerTemplateIcon: template.icon.contents,
    extensionElements: moddle.create('bpmn:ExtensionElements', { values: extensions(template, values) }),
  })
  const start = moddle.create('bpmn:StartEvent', { id: 'Start' })
  const end = moddle.create('bpmn:EndEvent', { id: 'End' })
  const process = moddle.create('bpmn:Process', {
    id: options.processId,
    isExecutable: true,
    flowElements: [
      start,
      task,
      end,
      moddle.create('bpmn:SequenceFlow', { id: 'ToTask', sourceRef: start, targetRef: task }),
      moddle.create('bpmn:SequenceFlow', { id: 'ToEnd', sourceRef: task, targetRef: end }),
    ],
  })
  const definitions = moddle.create('bpmn:Definitions', {
    targetNamespace: 'http://bpmn.io/schema/bpmn',
    rootElements: [process],
  })
  return (await moddle.toXML(definitions, { format: true })).xml
}

function extensions(template: ElementTemplate, values: Record<string, string>) {
  const fields = template.properties.filter((property) => property.type !== 'Hidden').map(bindingName)
  for (const name of Object.keys(values)) {
    if (!fields.includes(name)) {
      throw new Error(`${template.name} has no field ${name}; its fields are ${fields.join(', ')}`)
    }
  }
  const taskDefinition: Record<string, string> = {}
  const inputParameters = []
  const headers = []
  for (const property of template.properties) {
    const name = bindingName(property)
    const value = written(property, values[name] ?? property.value ?? '')
    if (value === '' && property.optional) continue
    switch (property.binding.type) {
      case 'zeebe:taskDefinition':
        taskDefinition[name] = value
        break
      case 'zeebe:input':
        inputParameters.push(moddle.create('zeebe:Input', { source: value, target: name }))
        break
      case 'zeebe:taskHeader':
        headers.push(moddle.create('zeebe:Header', { key: name, value }))
        break
    }
  }
  return [
    moddle.create('zeebe:TaskDefinition', taskDefinition),
    moddle.create('zeebe:IoMapping', { inputParameters }),
    moddle.create('zeebe:TaskHeaders', { values: headers }),
  ]
}

/** A field's value as it stands in the XML: numbers and fields that are always FEEL get their `=`. */
function written(property: TemplateProperty, typed: string): string {
  const isExpression = typed.startsWith('=')
  const { notEmpty, pattern } = property.constraints ?? {}
  const refuse = (why: string) => new Error(`${property.label ?? property.id}: ${why}, not "${typed}"`)
  if (notEmpty && typed === '') throw refuse('must not be empty')
  if (pattern && !new RegExp(pattern.value).test(typed)) throw refuse(pattern.message)
  if (isExpression && property.feel === undefined) throw refuse('takes no expression')
  if (property.type === 'Number' && !isExpression && Number.isNaN(Number(typed)))
    throw refuse('must be a number')
  const alwaysFeel = property.type === 'Number' || property.feel === 'required'
  return alwaysFeel && typed !== '' && !isExpression ? `=${typed}` : typed
}
