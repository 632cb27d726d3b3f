import { createFileLog } from '../../src/audit/file-log.js'
import { silentLog } from '../../src/core/log.js'
import { recordWith } from './call-record.js'

/** A process that writes to a file log until it is killed: FOLDER MAX_BYTES MAX_FILES. */
const [folder = '', maxBytes, maxFiles] = process.argv.slice(2)
const options = { folder, worker: 'w1', maxBytes: Number(maxBytes), maxFiles: Number(maxFiles) }
const log = createFileLog({ ...options, log: silentLog })

function writeSome(): void {
  for (let n = 0; n < 20; n += 1) {
    const { audit } = recordWith()
    if (audit) log.write(audit)
  }
  setImmediate(writeSome)
}

writeSome()
