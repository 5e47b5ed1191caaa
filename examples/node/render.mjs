// A job from Node: registers a voice, sends the task, waits for the manifest, fetches the audio.
//
//   BROKER_URL=redis://… FLOWER_URL=http://127.0.0.1:5555 FLOWER_LOGIN=user:password \
//       node render.mjs script.txt alice.wav play.flac
//
// Node's own fetch talks to Flower; celery-node writes Celery's messages. Addresses and passwords come by the
// environment, since anybody can list the arguments of processes.
import { readFile, writeFile } from 'node:fs/promises'
import celery from 'celery-node'

const { BROKER_URL, FLOWER_URL, FLOWER_LOGIN } = process.env
const [script, voice, output] = process.argv.slice(2)

async function flower(path, request = {}) {
  const authorization = 'Basic ' + Buffer.from(FLOWER_LOGIN).toString('base64')
  const answer = await fetch(FLOWER_URL + path, { ...request, headers: { authorization } })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer
}

await flower('/voxchord/voices/alice', { method: 'PUT', body: await readFile(voice) })

const client = celery.createClient(BROKER_URL, BROKER_URL, 'voxchord') // the last is the queue
try {
  const options = { format: output.split('.').pop() }
  const kwargs = { script: await readFile(script, 'utf8'), voices: { Alice: 'alice' }, options }
  const manifest = await client.createTask('voxchord.render').applyAsync([], kwargs).get()

  const audio = await flower(`/voxchord/jobs/${manifest.job}/audio`)
  await writeFile(output, Buffer.from(await audio.arrayBuffer()))
  console.log(JSON.stringify(manifest))
} catch (error) {
  // the task's own errors come with Celery's fields: exc_type and exc_message
  console.error(error.exc_type ? `${error.exc_type}: ${error.exc_message}` : error.message)
  process.exitCode = 1
} finally {
  await client.disconnect()
}
