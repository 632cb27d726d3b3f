import { readFileSync } from 'node:fs'
import { type Static, Type } from 'typebox'
import { Parse } from 'typebox/value'

/** Where a property's value goes in the diagram; the bindings that the shipped templates use. */
const Binding = Type.Union([
  Type.Object({
    type: Type.Literal('zeebe:taskDefinition'),
    property: Type.Enum(['type', 'retries']),
  }),
  Type.Object({ type: Type.Literal('zeebe:input'), name: Type.String() }),
  Type.Object({ type: Type.Literal('zeebe:taskHeader'), key: Type.String() }),
])

const Property = Type.Object({
  id: Type.String(),
  type: Type.Enum(['Hidden', 'String', 'Text', 'Number']),
  feel: Type.Optional(Type.Enum(['optional', 'required'])),
  optional: Type.Optional(Type.Boolean()),
  value: Type.Optional(Type.String()),
  label: Type.Optional(Type.String()),
  group: Type.Optional(Type.String()),
  binding: Binding,
  constraints: Type.Optional(
    Type.Object({
      notEmpty: Type.Optional(Type.Boolean()),
      pattern: Type.Optional(Type.Object({ value: Type.String(), message: Type.String() })),
    }),
  ),
})

const ElementTemplate = Type.Object({
  id: Type.String(),
  name: Type.String(),
  version: Type.Integer(),
  icon: Type.Object({ contents: Type.String() }),
  groups: Type.Array(Type.Object({ id: Type.String(), label: Type.String() })),
  properties: Type.Array(Property),
})

export type TemplateProperty = Static<typeof Property>
export type ElementTemplate = Static<typeof ElementTemplate>

export const templateFolder = new URL('../../bpmn/element-templates/', import.meta.url)

export function parseTemplate(json: unknown): ElementTemplate {
  return Parse(ElementTemplate, json)
}

/** @param file name of a file in bpmn/element-templates */
export function readTemplate(file: 'kafka-producer.json' | 'rocketmq-producer.json'): ElementTemplate {
  return parseTemplate(JSON.parse(readFileSync(new URL(file, templateFolder), 'utf8')))
}

/** Name of an input, key of a header, or attribute of the task definition that a property sets. */
export function bindingName({ binding }: TemplateProperty): string {
  switch (binding.type) {
    case 'zeebe:taskDefinition':
      return binding.property
    case 'zeebe:input':
      return binding.name
    case 'zeebe:taskHeader':
      return binding.key
  }
}
