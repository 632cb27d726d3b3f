import type { Log } from '../core/log.js'
import { withTimeLimit } from '../core/time-limit.js'
import { closeZeebeClient, createZeebeClient, engineUnreachable, type ZeebeOptions } from './zeebe-client.js'

const DEPLOY_LIMIT_MS = 30_000
/** The gateway's own limit for a process to end, and what its answer may take besides. */
const RUN_LIMIT_MS = 60_000
const ANSWER_MS = 5000

/** The modeler's and the starter's side of an engine: what workers never need. */
export interface Processes {
  /** Makes the newest version of the processes in a BPMN file. @throws RelayError ENGINE_UNREACHABLE */
  deploy(bpmnFile: string): Promise<void>
  /**
   * Starts a process and waits for its end.
   * @throws RelayError ENGINE_UNREACHABLE, also when the process has not ended after a minute.
   */
  run(processId: string, variables: Record<string, string | number>): Promise<FinishedProcess>
  close(): Promise<void>
}

export interface FinishedProcess {
  processInstanceKey: string
  variables: Record<string, unknown>
}

export function zeebeProcesses(options: ZeebeOptions, log: Log): Processes {
  const client = createZeebeClient(options, log)
  const address = options.zeebeClusterId ?? options.zeebeAddress
  const limited = <T>(call: Promise<T>, limitMs: number): Promise<T> =>
    withTimeLimit(call, limitMs, () => new Error(`no answer within ${limitMs / 1000} s`)).catch(
      (cause: unknown) => {
        throw engineUnreachable(address, cause)
      },
    )
  return {
    async deploy(bpmnFile) {
      await limited(client.deployResource({ processFilename: bpmnFile }), DEPLOY_LIMIT_MS)
    },
    async run(bpmnProcessId, variables) {
      const started = client.createProcessInstanceWithResult({
        bpmnProcessId,
        variables,
        requestTimeout: RUN_LIMIT_MS,
      })
      const { processInstanceKey, variables: results } = await limited(started, RUN_LIMIT_MS + ANSWER_MS)
      return { processInstanceKey, variables: { ...results } }
    },
    close: () => closeZeebeClient(client),
  }
}
