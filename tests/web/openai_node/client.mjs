// Everything that the official client has for speech, and its errors. Prints what it found as JSON.
import fs from 'node:fs'
import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai'
import { Stream } from 'openai/core/streaming'

const { BASE_URL, KEY, LIMITED_KEY, VOICE, FOLDER } = process.env
const given = { baseURL: BASE_URL, apiKey: KEY, maxRetries: 0 }
const client = new OpenAI(given)
const speech = { model: 'tts-1', voice: 'alloy', input: 'The harbour was quiet, and nobody saw the boat leave.' }
const long = { ...speech, input: `${speech.input} `.repeat(200), response_format: 'pcm' }
const longer = beginning => ({ ...long, input: `${beginning} ${long.input.repeat(5)}` })

async function failure(work) {
  try {
    await work()
  } catch (error) {
    const { status, type, code, param } = error
    return { kind: error.constructor.name, isApiError: error instanceof APIError, status, type, code, param }
  }
  return { kind: 'none' }
}

async function models() {
  const listed = []
  for await (const each of client.models.list()) listed.push(each.id)
  return { listed, one: await client.models.retrieve('tts-1') }
}

async function formats() {
  const types = {}
  for (const format of ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']) {
    const response = await client.audio.speech.create({ ...speech, response_format: format })
    types[format] = response.headers.get('content-type')
    fs.writeFileSync(`${FOLDER}/speech.${format}`, Buffer.from(await response.arrayBuffer()))
  }
  return types
}

async function streamed() {
  const began = performance.now()
  const response = await client.audio.speech.create(long)
  let first_ms, bytes = 0, parts = 0
  for await (const part of response.body) {
    first_ms ??= performance.now() - began
    bytes += part.length
    parts += 1
  }
  return { first_ms, whole_ms: performance.now() - began, bytes, parts }
}

async function events() {
  const asked = { ...speech, model: 'gpt-4o-mini-tts', stream_format: 'sse', response_format: 'mp3' }
  const response = await client.audio.speech.create(asked)
  const found = []
  for await (const event of Stream.fromSSEResponse(response, new AbortController())) found.push(event)
  const audio = found.filter(each => each.type === 'speech.audio.delta').map(each => Buffer.from(each.audio, 'base64'))
  fs.writeFileSync(`${FOLDER}/events.mp3`, Buffer.concat(audio))
  return { types: found.map(each => each.type), usage: found.at(-1).usage }
}

async function brokenEvents() {
  const controller = new AbortController()
  const response = await client.audio.speech.create({ ...longer('Events.'), stream_format: 'sse' }, { signal: controller.signal })
  for await (const event of Stream.fromSSEResponse(response, controller)) if (event.type === 'speech.audio.delta') break
  return response.headers.get('x-request-id')
}

async function fields() {
  const asked = { ...speech, voice: { id: 'heron' }, speed: 1.2, instructions: 'Whisper.', response_format: 'pcm' }
  const { data, response, request_id: request } = await client.audio.speech.create(asked).withResponse()
  return { bytes: (await data.arrayBuffer()).byteLength, ignored: response.headers.get('x-ignored-fields'), request }
}

async function voices() {
  const asked = { name: 'nora', consent: 'cons_1234', audio_sample: fs.createReadStream(VOICE) }
  const created = await client.audio.voices.create(asked)
  const spoken = await client.audio.speech.create({ ...speech, voice: { id: created.id } })
  const bytes = (await spoken.arrayBuffer()).byteLength
  const deleted = await client.audio.voices.delete(created.id)
  const again = await failure(() => client.audio.voices.delete(created.id))
  const prompted = await failure(() => client.audio.voices.create({ name: 'nora', type: 'prompt', prompt: 'An old man.' }))
  return { created, bytes, deleted, again, prompted }
}

async function voiceConsents() {
  const consents = client.audio.voiceConsents
  const make = name => consents.create({ name, language: 'en-US', recording: fs.createReadStream(VOICE) })
  const made = [await make('Nora'), await make('Otto')]
  const listed = []
  for await (const each of consents.list({ limit: 1 })) listed.push(each.id)
  const one = await consents.retrieve(made[0].id)
  const renamed = await consents.update(made[0].id, { name: 'Nora, in May' })
  const asked = { name: 'nora.recorded', consent: made[0].id, audio_sample: fs.createReadStream(VOICE) }
  const voice = await client.audio.voices.create(asked)
  const unknown = await failure(() => client.audio.voices.create({ ...asked, consent: `cons_${'0'.repeat(32)}` }))
  const deleted = await consents.delete(made[0].id)
  const again = await failure(() => consents.retrieve(made[0].id))
  return { made, listed, one, renamed, voice, unknown, deleted, again }
}

async function errors() {
  const limited = new OpenAI({ ...given, apiKey: LIMITED_KEY })
  await limited.audio.speech.create(speech)
  const stranger = new OpenAI({ ...given, apiKey: 'vx-wrong' })
  const nowhere = new OpenAI({ ...given, baseURL: 'http://127.0.0.1:1/v1' })
  return {
    voice: await failure(() => client.audio.speech.create({ ...speech, voice: 'nobody' })),
    model: await failure(() => client.audio.speech.create({ ...speech, model: 'nothing' })),
    field: await failure(() => client.audio.speech.create({ ...speech, verbose: true })),
    input: await failure(() => client.audio.speech.create({ ...speech, input: '' })),
    key: await failure(() => stranger.audio.speech.create(speech)),
    unknown: await failure(() => client.models.retrieve('nothing')),
    path: await failure(() => client.get('/audio/nothing')),
    quota: await failure(() => limited.audio.speech.create(speech)),
    timeout: await failure(() => client.audio.speech.create(longer('Timeout.'), { timeout: 1 })),
    connection: await failure(() => nowhere.audio.speech.create(speech)),
    kinds: [APIConnectionError, APIConnectionTimeoutError, APIUserAbortError].map(each => each.name),
  }
}

async function aborts() {
  const early = new AbortController()
  const waiting = failure(() => client.audio.speech.create(longer('Early.'), { signal: early.signal }))
  early.abort()
  const late = new AbortController()
  const response = await client.audio.speech.create(longer('Late.'), { signal: late.signal })
  const reader = response.body.getReader()
  await reader.read()
  late.abort()
  const cut = await failure(async () => { while (!(await reader.read()).done); })
  return { early: await waiting, cut: cut.kind, request: response.headers.get('x-request-id') }
}

const found = {}
for (const part of [models, formats, streamed, events, brokenEvents, fields, voices, voiceConsents, errors, aborts]) found[part.name] = await part()
console.log(JSON.stringify(found))
