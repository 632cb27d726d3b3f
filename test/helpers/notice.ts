import type { Notice } from '../../src/alerts/notice.js'

/** A notice of an alert that fires, with what differs from the usual one. */
export function notice(different: Partial<Notice> = {}): Notice {
  return {
    id: '0199a3f0-0000-7000-8000-000000000001-firing',
    kind: 'firing',
    alertId: '0199a3f0-0000-7000-8000-000000000001',
    policy: 'orders-errors',
    severity: 'critical',
    title: 'Firing: orders-errors (orders)',
    text: 'Error rate of adapter "orders" is 12.5 % (> 5 %) over the last 5 min.',
    metric: 'error_rate',
    value: 0.125,
    threshold: 0.05,
    adapter: 'orders',
    since: new Date('2026-01-31T08:00:00Z'),
    at: new Date('2026-01-31T08:05:00Z'),
    owners: ['alice', 'bob@example.com'],
    ...different,
  }
}
