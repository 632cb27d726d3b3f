import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf, RelayError } from '../../core/errors.js'

export interface ClientCredentials {
  tokenEndpoint: string
  clientId: string
  clientSecret: string
  scope: string | undefined
}

interface Token {
  value: string
}

const TokenResponse = Type.Object({
  access_token: Type.String({ minLength: 1 }),
  /** Seconds. */
  expires_in: Type.Optional(Type.Number()),
})

/** Lifetime assumed of a token whose answer names none. */
const DEFAULT_LIFETIME_S = 300
/** Part of its lifetime after which a token is no longer handed out. */
const FRESH_PART = 0.8

/**
 * Gives tokens by the client credentials grant, each as long as it is fresh; all who ask at once share one request.
 * @throws RelayError AUTHENTICATION_FAILED naming the endpoint and what it answered.
 */
export function tokenProvider(credentials: ClientCredentials, limitMs: number): () => Promise<Token> {
  let current: Promise<Token> | undefined
  let freshUntil = Number.POSITIVE_INFINITY

  async function fetchToken(): Promise<Token> {
    const askedAt = performance.now()
    const { access_token, expires_in = DEFAULT_LIFETIME_S } = await request(credentials, limitMs)
    freshUntil = askedAt + expires_in * 1000 * FRESH_PART
    return { value: access_token }
  }

  return () => {
    if (current && performance.now() < freshUntil) return current
    freshUntil = Number.POSITIVE_INFINITY
    const asked = fetchToken()
    current = asked
    asked.catch(() => {
      current = undefined
    })
    return asked
  }
}

async function request({ tokenEndpoint, clientId, clientSecret, scope }: ClientCredentials, limitMs: number) {
  const login = [clientId, clientSecret].map(encodeURIComponent).join(':')
  const failed = (what: string, cause?: unknown) =>
    new RelayError(
      'AUTHENTICATION_FAILED',
      `sasl.tokenEndpoint ${tokenEndpoint} ${what}: check it, sasl.clientId "${clientId}", sasl.clientSecret and sasl.scope`,
      { cause },
    )
  let response: Response
  try {
    response = await fetch(tokenEndpoint, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(login).toString('base64')}`,
        accept: 'application/json',
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) }),
      signal: AbortSignal.timeout(limitMs),
    })
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause ? cause.cause : cause
    throw failed(`gave no token: ${messageOf(reason)}`, cause)
  }
  // Its text is not shown: what an identity provider echoes may hold the credentials.
  if (!response.ok) throw failed(`answered ${response.status}`)
  const answer: unknown = await response.json().catch(() => undefined)
  if (!Value.Check(TokenResponse, answer)) throw failed('answered without an access_token')
  return answer
}
