import type { Declarations } from '../declarations.js'
import type { Path, SourceDocument } from '../documents.js'
import { pathText } from '../schema-findings.js'
import { type Component, membersOf } from './component.js'
import { declareEgress } from './egress.js'
import { declareIngress } from './ingress.js'

type Declare = (component: Component, read: Declarations) => void

/**
 * The kinds that have a counterpart, by the names they had in StateFun 2, in the modules of 3 and in its documents.
 * Ingresses come first, whose ids name adapters before those of egresses do.
 */
const KINDS: Record<string, Declare> = {
  'statefun.kafka.io/routable-protobuf-ingress': declareIngress,
  'io.statefun.kafka/ingress': declareIngress,
  'io.statefun.kafka.v1/ingress': declareIngress,
  'statefun.kafka.io/generic-egress': declareEgress,
  'io.statefun.kafka/egress': declareEgress,
  'io.statefun.kafka.v1/egress': declareEgress,
}

/** Whether a document is a module of StateFun, or one component of it as StateFun 3 has them. */
export function isStatefun(value: unknown): boolean {
  const { module, kind } = membersOf(value)
  return module !== undefined || typeof kind === 'string'
}

/** Declares what has a counterpart here, and warns of what has none. */
export function readStatefun(documents: readonly SourceDocument[], read: Declarations): void {
  const found = documents.flatMap((document) => partsOf(document, read))
  for (const declare of [declareIngress, declareEgress]) {
    for (const { kind, id, ...component } of found) {
      if (KINDS[kind] !== declare) continue
      if (typeof id === 'string' && id !== '') declare({ ...component, id }, read)
      else {
        read.problems.push({
          place: component.document.placeOf(component.path),
          message: `${kind} has no id: give it one such as example/name`,
        })
      }
    }
  }
}

type Part = Omit<Component, 'id'> & { kind: string; id: unknown }

/** What a document holds that has a counterpart. */
function partsOf(document: SourceDocument, read: Declarations): Part[] {
  const top = membersOf(document.value)
  if (typeof top.kind === 'string') {
    const { id } = membersOf(top.spec)
    return known({ kind: top.kind, id, spec: top.spec, path: ['spec'], document }, read)
  }
  // The spec belongs into the module; examples have it beside that.
  const [spec, path]: [unknown, Path] =
    top.spec === undefined ? [membersOf(top.module).spec, ['module', 'spec']] : [top.spec, ['spec']]
  return Object.entries(membersOf(spec)).flatMap(([part, list]) => {
    const wrapper = { ingresses: 'ingress', egresses: 'egress' }[part]
    return (Array.isArray(list) ? list : [list]).flatMap((entry: unknown, index) => {
      const place = [...path, part, index]
      if (wrapper === undefined) {
        warn(document, place, `${pathText(place).slice(1)} has no counterpart here and is passed over`, read)
        return []
      }
      const component = membersOf(membersOf(entry)[wrapper])
      const { type, id } = membersOf(component.meta)
      return known(
        { kind: String(type), id, spec: component.spec, path: [...place, wrapper, 'spec'], document },
        read,
      )
    })
  })
}

function known(part: Part, read: Declarations): Part[] {
  const { kind, document, path } = part
  if (Object.hasOwn(KINDS, kind)) return [part]
  const kinds = Object.keys(KINDS).join(', ')
  warn(
    document,
    path,
    `kind ${kind} has no counterpart here and is passed over; there is one for ${kinds}`,
    read,
  )
  return []
}

function warn(document: SourceDocument, path: Path, message: string, { warnings }: Declarations): void {
  warnings.push({ place: document.placeOf(path), message })
}
