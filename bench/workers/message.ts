/** Text that compresses about as well as the prose and names that processes carry: words in no order. */
const FILLER = fillerText(256 * 1024)

/** JSON text of an order of about `bytes` bytes, each with its own number and its own words. */
export function orderText(number: number, bytes: number): string {
  const start = `{"orderId":"order-${number}","customer":"Ada Lovelace","amount":129.90,"note":"`
  const length = Math.max(0, bytes - start.length - 2)
  const from = (number * 7919) % (FILLER.length - length)
  return `${start}${FILLER.slice(from, from + length)}"}`
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

/** The same at every run, so that runs can be compared. */
function fillerText(length: number): string {
  const letters = 'etaoinshrdlcumwfgypb'
  let state = 42
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const word = () => Array.from({ length: 2 + random(8) }, () => letters[random(letters.length)]).join('')
  const words = Array.from({ length: 800 }, word)
  let text = ''
  // Few words are frequent and most are rare, as in any language.
  while (text.length < length) text += `${words[Math.floor(random(800) ** 2 / 800)]} `
  return text.slice(0, length)
}
