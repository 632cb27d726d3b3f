/** JSON text of an order of about `bytes` bytes, each with its own number. */
export function orderText(number: number, bytes: number): string {
  const start = `{"orderId":"order-${number}","customer":"Ada Lovelace","amount":129.90,"note":"`
  return `${start}${'x'.repeat(Math.max(0, bytes - start.length - 2))}"}`
}
