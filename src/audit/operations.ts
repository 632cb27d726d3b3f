import type { AuditRow } from './call-record.js'

/** Always, never, or as the adapter's switch says. */
type When = 'always' | 'never' | 'auditRequests' | 'slaMonitoring' | 'logResults'

interface OperationKind {
  operation: string
  source: AuditRow['source']
  /** A row in `sys_audit_log`. */
  audited: When
  /** In the SLA counters. */
  counted: When
  /** A line in the file log. */
  fileLogged: When
}

const BY_SWITCH = { audited: 'auditRequests', counted: 'slaMonitoring', fileLogged: 'logResults' } as const
const BY_OPERATOR = { source: 'admin', audited: 'always', counted: 'never', fileLogged: 'never' } as const

/** All there is in the audit log; docs/audit-log.md explains each, and a test holds the two together. */
export const OPERATIONS = [
  { operation: 'publish', source: 'job', ...BY_SWITCH },
  { operation: 'publish', ...BY_OPERATOR },
  { operation: 'trigger.start', source: 'trigger', ...BY_SWITCH },
  { operation: 'trigger.correlate', source: 'trigger', ...BY_SWITCH },
  { operation: 'trigger.forward', source: 'trigger', ...BY_SWITCH },
  { operation: 'adapter.create', ...BY_OPERATOR },
  { operation: 'adapter.update', ...BY_OPERATOR },
  { operation: 'adapter.enable', ...BY_OPERATOR },
  { operation: 'adapter.disable', ...BY_OPERATOR },
  { operation: 'adapter.delete', ...BY_OPERATOR },
  { operation: 'env.set', ...BY_OPERATOR },
  { operation: 'env.delete', ...BY_OPERATOR },
  { operation: 'modules.apply', ...BY_OPERATOR },
  { operation: 'topic.create', ...BY_OPERATOR },
  { operation: 'topic.alter', ...BY_OPERATOR },
  { operation: 'topic.delete', ...BY_OPERATOR },
  { operation: 'acl.create', ...BY_OPERATOR },
  { operation: 'acl.delete', ...BY_OPERATOR },
  { operation: 'group.delete', ...BY_OPERATOR },
  { operation: 'alert-policy.create', ...BY_OPERATOR },
  { operation: 'alert-policy.update', ...BY_OPERATOR },
  { operation: 'alert-policy.enable', ...BY_OPERATOR },
  { operation: 'alert-policy.disable', ...BY_OPERATOR },
  { operation: 'alert-policy.delete', ...BY_OPERATOR },
  { operation: 'alert-policy.test', ...BY_OPERATOR },
  { operation: 'alert.acknowledge', ...BY_OPERATOR },
  { operation: 'alert-silence.create', ...BY_OPERATOR },
  { operation: 'alert-silence.delete', ...BY_OPERATOR },
  { operation: 'notifier.create', ...BY_OPERATOR },
  { operation: 'notifier.update', ...BY_OPERATOR },
  { operation: 'notifier.enable', ...BY_OPERATOR },
  { operation: 'notifier.disable', ...BY_OPERATOR },
  { operation: 'notifier.delete', ...BY_OPERATOR },
  { operation: 'notifier.test', ...BY_OPERATOR },
  { operation: 'trigger.create', ...BY_OPERATOR },
  { operation: 'trigger.update', ...BY_OPERATOR },
  { operation: 'trigger.pause', ...BY_OPERATOR },
  { operation: 'trigger.resume', ...BY_OPERATOR },
  { operation: 'trigger.stop', ...BY_OPERATOR },
  { operation: 'trigger.seek', ...BY_OPERATOR },
  { operation: 'trigger.delete', ...BY_OPERATOR },
  { operation: 'dead-letter.replay', ...BY_OPERATOR },
  { operation: 'dead-letter.discard', ...BY_OPERATOR },
] as const satisfies OperationKind[]

export type Operation = (typeof OPERATIONS)[number]['operation']
