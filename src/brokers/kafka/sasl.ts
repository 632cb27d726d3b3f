import type { KafkaConfig, SASLOptions } from 'kafkajs'
import { settingsInvalid } from '../settings.js'
import { tokenProvider } from './oauth.js'
import type { KafkaSettings } from './settings.js'

type Sasl = NonNullable<KafkaSettings['sasl']>
type Field = Exclude<keyof Sasl, 'mechanism'>

const LOGIN = { required: ['username', 'password'], optional: [] } as const

/** Settings each mechanism has a meaning for. */
const FIELDS: Record<Sasl['mechanism'], { required: readonly Field[]; optional: readonly Field[] }> = {
  plain: LOGIN,
  'scram-sha-256': LOGIN,
  'scram-sha-512': LOGIN,
  oauthbearer: { required: ['tokenEndpoint', 'clientId', 'clientSecret'], optional: ['scope'] },
  aws: { required: ['authorizationIdentity', 'accessKeyId', 'secretAccessKey'], optional: ['sessionToken'] },
}

/** @throws RelayError SETTINGS_INVALID */
export function checkSasl(sasl: Sasl | undefined): void {
  if (sasl === undefined) return
  const { mechanism, ...given } = sasl
  const { required, optional } = FIELDS[mechanism]
  const missing = required.find((name) => given[name] === undefined)
  if (missing) throw settingsInvalid(`sasl.${missing} is missing: sasl.mechanism ${mechanism} needs it`)
  const known = new Set<string>([...required, ...optional])
  const unused = Object.keys(given).find((name) => !known.has(name))
  if (unused) {
    throw settingsInvalid(
      `sasl.${unused} is set but sasl.mechanism ${mechanism} has no use for it: remove it or correct sasl.mechanism`,
    )
  }
}

/** The part of kafkajs's options that concerns the login. */
export function saslOptions({ sasl, requestTimeoutMs }: KafkaSettings): Pick<KafkaConfig, 'sasl'> {
  return sasl ? { sasl: optionsOf(sasl, requestTimeoutMs) } : {}
}

// `checkSasl` has seen to it that what a mechanism needs is there; the type does not tell.
function optionsOf(sasl: Sasl, limitMs: number): SASLOptions {
  const { mechanism, username = '', password = '' } = sasl
  switch (mechanism) {
    case 'plain':
      return { mechanism, username, password }
    case 'scram-sha-256':
      return { mechanism, username, password }
    case 'scram-sha-512':
      return { mechanism, username, password }
    case 'oauthbearer': {
      const { tokenEndpoint = '', clientId = '', clientSecret = '', scope } = sasl
      const provider = tokenProvider({ tokenEndpoint, clientId, clientSecret, scope }, limitMs)
      return { mechanism, oauthBearerProvider: provider }
    }
    case 'aws': {
      const { authorizationIdentity = '', accessKeyId = '', secretAccessKey = '', sessionToken } = sasl
      return {
        mechanism,
        authorizationIdentity,
        accessKeyId,
        secretAccessKey,
        ...(sessionToken && { sessionToken }),
      }
    }
    default:
      return mechanism satisfies never
  }
}
