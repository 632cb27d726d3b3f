import { CreateAdapter1763700000001 } from './1763700000001-create-adapter.js'
import { CreateEnvironmentVariable1763700000002 } from './1763700000002-create-environment-variable.js'
import { CreateSysAuditLog1763700000003 } from './1763700000003-create-sys-audit-log.js'
import { CreateSlaCounter1763700000004 } from './1763700000004-create-sla-counter.js'
import { CreatePublishLedger1763700000005 } from './1763700000005-create-publish-ledger.js'
import { IndexAuditFacets1763700000006 } from './1763700000006-index-audit-facets.js'
import { CreateSlaRollups1763700000008 } from './1763700000008-create-sla-rollups.js'
import { CreateAlerts1763700000009 } from './1763700000009-create-alerts.js'
import { CreateSpoolPosition1763700000010 } from './1763700000010-create-spool-position.js'
import { CreateNotifier1763700000011 } from './1763700000011-create-notifier.js'
import { CreateSlaTotals1763700000020 } from './1763700000020-create-sla-totals.js'
import { CreateSettledMark1763700000021 } from './1763700000021-create-settled-mark.js'
import { CreateTrigger1763700000022 } from './1763700000022-create-trigger.js'
import { AddTriggerStatus1763700000023 } from './1763700000023-add-trigger-status.js'
import { ReferToForwardAdapter1763700000024 } from './1763700000024-refer-to-forward-adapter.js'
import { NoteDeadLetters1763700000025 } from './1763700000025-note-dead-letters.js'
import { MarkManaged1763700000026 } from './1763700000026-mark-managed.js'
import { RememberPublishesInAuditLog1763700000027 } from './1763700000027-remember-publishes-in-audit-log.js'
import { IndexKindsOfAuditRows1763700000028 } from './1763700000028-index-kinds-of-audit-rows.js'

/**
 * All migrations, oldest first. Only append: a released one is never edited. An index added to the audit log once that
 * is in use must not keep its writers waiting: with `transaction = false`, CREATE INDEX … ON ONLY sys_audit_log, CREATE
 * INDEX CONCURRENTLY on each of its days, ATTACH PARTITION.
 */
export const MIGRATIONS = [
  CreateAdapter1763700000001,
  CreateEnvironmentVariable1763700000002,
  CreateSysAuditLog1763700000003,
  CreateSlaCounter1763700000004,
  CreatePublishLedger1763700000005,
  IndexAuditFacets1763700000006,
  CreateSlaRollups1763700000008,
  CreateAlerts1763700000009,
  CreateSpoolPosition1763700000010,
  CreateNotifier1763700000011,
  CreateSlaTotals1763700000020,
  CreateSettledMark1763700000021,
  CreateTrigger1763700000022,
  AddTriggerStatus1763700000023,
  ReferToForwardAdapter1763700000024,
  NoteDeadLetters1763700000025,
  MarkManaged1763700000026,
  RememberPublishesInAuditLog1763700000027,
  IndexKindsOfAuditRows1763700000028,
]
