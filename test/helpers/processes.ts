import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { type JSONDoc, ZBClient } from 'zeebe-node'

export interface ServiceTask {
  type: string
  /** Default: one of its own. */
  processId?: string
  /** Input mappings, target → source; a source that begins with `=` is FEEL. */
  inputs?: Record<string, string>
  headers?: Record<string, string>
  /** Default: 3. */
  retries?: number
  /**
   * The BPMN error that a boundary event catches, which ends the process too, and the error's variables that the event
   * hands to the process: without a mapping they end with it. Default: none.
   */
  catches?: { code: string; outputs?: string[] }
  /** Repeats the task for each item of a list, a FEEL expression, which it finds as `item`. Default: once. */
  forEach?: { items: string; order: 'sequential' | 'parallel' }
}

export type Variables = JSONDoc

/** The engine as those see it who deploy processes and start them. */
export interface Processes {
  /** Deploys BPMN text. */
  deploy(xml: string): Promise<void>
  /** Deploys `start → task → end`; resolves to the id of the process. */
  deployTask(task: ServiceTask): Promise<string>
  /** Deploys `start → catch message → task → end`; resolves to the id of the process. */
  deployMessageThenTask(given: { name: string; correlationKey: string; type: string }): Promise<string>
  /** Deploys `start by message → task → end`; resolves to the id of the process. */
  deployMessageStart(given: { name: string; type: string }): Promise<string>
  /** Starts an instance and waits for its end. @returns the process's variables then */
  run(processId: string, variables?: Variables): Promise<Variables>
  /** Like `run`, for variables as JSON text, both ways: no digit is lost here. */
  runExactly(processId: string, variables: string): Promise<string>
  /** @returns the key of the instance */
  start(processId: string, variables?: Variables): Promise<string>
}

const RUN_LIMIT_MS = 120_000

/** A client of the engine for the time of the test. */
export function processesOn(t: TestContext, address: string): Processes {
  const client = new ZBClient(address, {
    loglevel: 'NONE',
    maxRetryTimeout: 10_000,
    // A timer of this length keeps the process alive after the last call.
    connectionTolerance: 100,
  })
  t.after(() => client.close())

  async function deploy(xml: string): Promise<void> {
    await client.deployResource({ name: `${randomUUID()}.bpmn`, process: Buffer.from(xml) })
  }

  return {
    deploy,

    async deployTask({ processId = `test-${randomUUID()}`, ...task }) {
      await deploy(oneTaskProcess(processId, task))
      return processId
    },

    async deployMessageThenTask(given) {
      const processId = `test-${randomUUID()}`
      await deploy(messageProcess(processId, given))
      return processId
    },

    async deployMessageStart(given) {
      const processId = `test-${randomUUID()}`
      await deploy(messageStartProcess(processId, given))
      return processId
    },

    async run(bpmnProcessId, variables = {}) {
      const requestTimeout = RUN_LIMIT_MS
      const ended = await client.createProcessInstanceWithResult<Variables, Variables>({
        bpmnProcessId,
        variables,
        requestTimeout,
      })
      return ended.variables
    },

    async runExactly(bpmnProcessId, variables) {
      // The client's own method writes variables with JSON.stringify, which knows no 64-bit integers.
      // biome-ignore lint/complexity/useLiteralKeys: TypeScript lets a private member be read only this way
      const ended = await client['grpc'].createProcessInstanceWithResultSync({
        request: { bpmnProcessId, version: -1, variables, tenantId: undefined },
        fetchVariables: [],
        requestTimeout: RUN_LIMIT_MS,
      })
      return ended.variables
    },

    async start(bpmnProcessId, variables = {}) {
      return (await client.createProcessInstance({ bpmnProcessId, variables })).processInstanceKey
    },
  }
}

function oneTaskProcess(
  processId: string,
  { type, inputs = {}, headers = {}, retries = 3, catches, forEach }: ServiceTask,
): string {
  const input = ([target, source]: [string, string]) =>
    `<zeebe:input source="${escaped(source)}" target="${escaped(target)}"/>`
  const header = ([key, value]: [string, string]) =>
    `<zeebe:header key="${escaped(key)}" value="${escaped(value)}"/>`
  const output = (name: string) => `<zeebe:output source="${escaped(`=${name}`)}" target="${escaped(name)}"/>`
  const error = `<bpmn:error id="Caught" errorCode="${escaped(catches?.code ?? '')}"/>`
  const boundary = `
    <bpmn:boundaryEvent id="Catch" attachedToRef="Task"><bpmn:extensionElements><zeebe:ioMapping>${(catches?.outputs ?? []).map(output).join('')}</zeebe:ioMapping></bpmn:extensionElements><bpmn:outgoing>ToCaughtEnd</bpmn:outgoing><bpmn:errorEventDefinition errorRef="Caught"/></bpmn:boundaryEvent>
    <bpmn:endEvent id="CaughtEnd"/>
    <bpmn:sequenceFlow id="ToCaughtEnd" sourceRef="Catch" targetRef="CaughtEnd"/>`
  const loop =
    forEach &&
    `
      <bpmn:multiInstanceLoopCharacteristics isSequential="${forEach.order === 'sequential'}">
        <bpmn:extensionElements><zeebe:loopCharacteristics inputCollection="${escaped(forEach.items)}" inputElement="item"/></bpmn:extensionElements>
      </bpmn:multiInstanceLoopCharacteristics>`
  return definitions(`
  ${catches === undefined ? '' : error}
  <bpmn:process id="${processId}" isExecutable="true">
    <bpmn:startEvent id="Start"/>
    <bpmn:serviceTask id="Task">
      <bpmn:extensionElements>
        <zeebe:taskDefinition type="${escaped(type)}" retries="${retries}"/>
        <zeebe:ioMapping>${Object.entries(inputs).map(input).join('')}</zeebe:ioMapping>
        <zeebe:taskHeaders>${Object.entries(headers).map(header).join('')}</zeebe:taskHeaders>
      </bpmn:extensionElements>${loop ?? ''}
    </bpmn:serviceTask>
    <bpmn:endEvent id="End"/>
    <bpmn:sequenceFlow id="ToTask" sourceRef="Start" targetRef="Task"/>
    <bpmn:sequenceFlow id="ToEnd" sourceRef="Task" targetRef="End"/>${catches === undefined ? '' : boundary}
  </bpmn:process>`)
}

function messageProcess(
  processId: string,
  { name, correlationKey, type }: { name: string; correlationKey: string; type: string },
): string {
  return definitions(`
  <bpmn:message id="Message" name="${escaped(name)}"><bpmn:extensionElements><zeebe:subscription correlationKey="${escaped(correlationKey)}"/></bpmn:extensionElements></bpmn:message>
  <bpmn:process id="${processId}" isExecutable="true">
    <bpmn:startEvent id="Start"/>
    <bpmn:intermediateCatchEvent id="Catch"><bpmn:messageEventDefinition messageRef="Message"/></bpmn:intermediateCatchEvent>
    <bpmn:serviceTask id="Task"><bpmn:extensionElements><zeebe:taskDefinition type="${escaped(type)}"/></bpmn:extensionElements></bpmn:serviceTask>
    <bpmn:endEvent id="End"/>
    <bpmn:sequenceFlow id="ToCatch" sourceRef="Start" targetRef="Catch"/>
    <bpmn:sequenceFlow id="ToTask" sourceRef="Catch" targetRef="Task"/>
    <bpmn:sequenceFlow id="ToEnd" sourceRef="Task" targetRef="End"/>
  </bpmn:process>`)
}

function messageStartProcess(processId: string, { name, type }: { name: string; type: string }): string {
  return definitions(`
  <bpmn:message id="Message" name="${escaped(name)}"/>
  <bpmn:process id="${processId}" isExecutable="true">
    <bpmn:startEvent id="Start"><bpmn:messageEventDefinition messageRef="Message"/></bpmn:startEvent>
    <bpmn:serviceTask id="Task"><bpmn:extensionElements><zeebe:taskDefinition type="${escaped(type)}"/></bpmn:extensionElements></bpmn:serviceTask>
    <bpmn:endEvent id="End"/>
    <bpmn:sequenceFlow id="ToTask" sourceRef="Start" targetRef="Task"/>
    <bpmn:sequenceFlow id="ToEnd" sourceRef="Task" targetRef="End"/>
  </bpmn:process>`)
}

function definitions(content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="http://bpmn.io/schema/bpmn">${content}
</bpmn:definitions>`
}

function escaped(text: string): string {
  return text.replace(/[<>&"\n]/g, (character) => `&#${character.charCodeAt(0)};`)
}
