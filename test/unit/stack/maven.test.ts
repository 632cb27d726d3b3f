import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MavenOutput, type MavenProgress } from '../../../src/stack/maven.js'

describe("Maven's output", () => {
  it('gives the percentage of a large file', () => {
    const progress = read(['Progress (1): 12/299 MB\r', 'Progress (1): 150/299 MB\r'])
    assert.deepEqual(
      progress.map(({ percent }) => Math.floor(percent ?? -1)),
      [4, 50],
    )
  })

  it('is understood when the pieces arrive cut anywhere', () => {
    const progress = read(['Prog', 'ress (1): 149.5/2', '99 MB\rProgress'])
    assert.deepEqual(progress, [{ text: 'fetching 299 MB', percent: 50 }])
  })

  it('tells of small files in steps of 10 MB, as their whole is not known', () => {
    const progress = read([
      'Progress (2): 1.2/6.7 MB | 159 kB\r   \rDownloaded from central: a.jar (6.7 MB at 19 MB/s)\n',
      'Downloaded from central: b.jar (300 kB at 1 MB/s)\n',
      'Downloaded from central: c.jar (14 MB at 1 MB/s)\n',
    ])
    assert.deepEqual(progress, [{ text: 'fetched 20 MB' }])
  })

  it('says nothing where Maven talks of other things', () => {
    assert.deepEqual(read(['[INFO] Scanning for projects...\n[INFO] BUILD SUCCESS\n']), [])
  })
})

function read(chunks: string[]): MavenProgress[] {
  const progress: MavenProgress[] = []
  const output = new MavenOutput((each) => progress.push(each))
  for (const chunk of chunks) output.write(chunk)
  return progress
}
