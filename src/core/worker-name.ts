import { hostname } from 'node:os'

/** Of a worker that was given no name: another one at every start. */
export function defaultWorkerName(processId = process.pid): string {
  return `${hostname()}-${processId}`
}
