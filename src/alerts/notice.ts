export const SEVERITIES = ['info', 'warning', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

/** What people are told of an alert. All that a notifier needs: it asks nobody for more. */
export interface Notice {
  /** The same for each attempt to deliver it, and no other notice has it: alert id and state. */
  id: string
  kind: 'firing' | 'resolved' | 'test'
  /** Null for a test. */
  alertId: string | null
  /** Name of the policy. */
  policy: string
  severity: Severity
  /** One line, such as `Firing: orders-errors (orders)`. */
  title: string
  /** One readable sentence with metric, value, operator, threshold, window and adapter. */
  text: string
  /** Name of the metric, such as `error_rate`. */
  metric: string
  /** What was measured when the state changed; null where there was nothing to measure. */
  value: number | null
  threshold: number
  /** Name of the adapter it is about; null where it is about something else, or all of them. */
  adapter: string | null
  /** When the condition began to hold. */
  since: Date
  /** When the state changed. */
  at: Date
  /** People who look after it, as the policy names them. */
  owners: string[]
  /** What else there is to say: what an operator wrote, or why it is over. */
  note?: string
}

/** Where notices go. */
export interface Notifiers {
  /** Names of all there are, sorted; disabled ones too. */
  names(): Promise<string[]>
  /**
   * Resolves once the notice was delivered. Ends by itself within 30 s.
   * @throws RelayError whose `retryable` tells whether trying again can help; NOT_FOUND for an unknown name
   */
  send(notifierName: string, notice: Notice): Promise<void>
}
