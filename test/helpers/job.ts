import type { Job } from '../../src/engine/engine.js'

/** A job as an engine hands it out; `variables` is JSON text. */
export function jobWith(given: Partial<Job> = {}): Job {
  return {
    key: '2251799813685301',
    type: 'Kafka Producer',
    processInstanceKey: '2251799813685200',
    processId: 'order',
    processVersion: 1,
    elementId: 'publish-order',
    elementInstanceKey: '2251799813685300',
    tenantId: '<default>',
    retries: 3,
    headers: {},
    variables: '{}',
    deadline: performance.now() + 60_000,
    ...given,
  }
}
