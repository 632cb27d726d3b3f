/** JSON text of an order of about `bytes` bytes, each with its own number. */
export function orderText(number: number, bytes: number): string {
  const start = `{"orderId":"order-${number}","customer":"Ada Lovelace","amount":129.90,"note":"`
  return `${start}${'x'.repeat(Math.max(0, bytes - start.length - 2))}"}`
}

/** The headers every message of a service task carries. */
export function contractHeaders(number: number): Record<string, string> {
  const key = String(2_251_799_813_685_249 + 4 * number)
  return {
    'x-request-id': `c54eeae6-73fa-5a8b-b881-${String(number).padStart(12, '0')}`,
    'x-process-instance-key': key,
    'x-job-key': key,
    'x-element-id': 'Publish',
  }
}
