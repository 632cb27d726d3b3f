import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

/** PEM texts and the files they stand in. */
export interface Certificate {
  cert: string
  key: string
  certFile: string
  keyFile: string
}

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** A certificate authority of the test's own. */
export async function makeAuthority(folder: string, name: string): Promise<Certificate> {
  const files = filesOf(folder, name)
  const subject = ['-subj', `/CN=${name}`, '-days', '2']
  await openssl('req', '-x509', ...CURVE, '-keyout', files.keyFile, '-out', files.certFile, ...subject)
  return read(files)
}

/** A certificate signed by the authority, for a server that is called by one of the hosts or for a client. */
export async function makeCertificate(
  folder: string,
  name: string,
  authority: Certificate,
  hosts = 'DNS:client',
): Promise<Certificate> {
  const files = filesOf(folder, name)
  const request = path.join(folder, `${name}.csr`)
  const extensions = path.join(folder, `${name}.ext`)
  await writeFile(extensions, `subjectAltName=${hosts}\n`)
  await openssl('req', '-new', ...CURVE, '-keyout', files.keyFile, '-out', request, '-subj', `/CN=${name}`)
  await openssl(
    ...['x509', '-req', '-in', request, '-CA', authority.certFile, '-CAkey', authority.keyFile],
    ...['-CAcreateserial', '-days', '2', '-extfile', extensions, '-out', files.certFile],
  )
  return read(files)
}

/** The same key, readable with the passphrase only. */
export async function encryptedKey({ keyFile }: Certificate, passphrase: string): Promise<string> {
  const out = `${keyFile}.encrypted`
  await openssl(
    'pkcs8',
    '-topk8',
    '-v2',
    'aes-256-cbc',
    '-in',
    keyFile,
    '-out',
    out,
    '-passout',
    `pass:${passphrase}`,
  )
  return readFile(out, 'utf8')
}

function filesOf(folder: string, name: string) {
  return { certFile: path.join(folder, `${name}.crt`), keyFile: path.join(folder, `${name}.key`) }
}

async function read(files: { certFile: string; keyFile: string }): Promise<Certificate> {
  const [cert, key] = await Promise.all([readFile(files.certFile, 'utf8'), readFile(files.keyFile, 'utf8')])
  return { cert, key, ...files }
}

async function openssl(...args: string[]): Promise<void> {
  await promisify(execFile)('openssl', args)
}
