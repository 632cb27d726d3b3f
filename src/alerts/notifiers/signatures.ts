import { createHmac } from 'node:crypto'

/** Signature of https://www.standardwebhooks.com, version 1, over message id, seconds since 1970 and body. */
export function signStandard(key: Buffer, id: string, seconds: number, body: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`
}

/** The key in a secret such as `whsec_…`; undefined where it is no such secret of 24 to 64 bytes. */
export function standardKey(secret: string): Buffer | undefined {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? []
  const key = base64 === undefined ? undefined : Buffer.from(base64, 'base64')
  return key && key.length >= 24 && key.length <= 64 ? key : undefined
}

/** Of a DingTalk robot, over milliseconds since 1970. */
export function signDingtalk(secret: string, milliseconds: number): string {
  return createHmac('sha256', secret).update(`${milliseconds}\n${secret}`).digest('base64')
}

/** Of a Feishu robot, over seconds since 1970: what DingTalk signs is the key here, and nothing is signed. */
export function signFeishu(secret: string, seconds: number): string {
  return createHmac('sha256', `${seconds}\n${secret}`).digest('base64')
}
