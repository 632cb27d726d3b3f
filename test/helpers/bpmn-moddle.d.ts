/** bpmn-moddle's entry point comes without types; these are the members the tests use. */
declare module 'bpmn-moddle' {
  export interface ModdleElement {
    readonly $type: string
    readonly $parent?: ModdleElement
    $instanceOf(type: string): boolean
    get(property: string): unknown
  }

  export class BpmnModdle {
    /** @param packages descriptors of further namespaces by prefix */
    constructor(packages: Record<string, unknown>)
    create(type: string, properties?: Record<string, unknown>): ModdleElement
    /** @throws when the text is no XML; what is XML but not BPMN becomes a warning */
    fromXML(xml: string): Promise<{ rootElement: ModdleElement; warnings: Error[] }>
    toXML(root: ModdleElement, options?: { format?: boolean }): Promise<{ xml: string }>
  }
}
