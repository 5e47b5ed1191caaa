// The service's API. The key, if it needs one, is in this tab's session storage alone.
import { busy, dialog, field, h } from '/page/dom.js'

const KEY = 'voxchord.key'
export const JOBS = '/v1/audio/jobs'

export class ApiError extends Error {
  constructor(status, error) {
    super(error.message)
    this.name = 'ApiError'
    this.status = status
    this.code = error.code
  }
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null

function headers(more = {}) {
  const key = sessionStorage.getItem(KEY)
  return key === null ? more : { ...more, Authorization: `Bearer ${key}` }
}

async function failure(response) {
  const body = await response.json().catch(() => null)
  return new ApiError(response.status, body?.error ?? { message: `the service answered ${response.status}`, code: null })
}

/** Send a request; asks for a key and sends it again if one is needed. */
export async function send(path, { method = 'GET', json, body, signal } = {}) {
  const more = json === undefined ? {} : { 'Content-Type': 'application/json' }
  const data = json === undefined ? body : JSON.stringify(json)
  for (;;) {
    const response = await fetch(path, { method, body: data, headers: headers(more), signal }).catch(error => {
      if (error.name === 'AbortError') throw error
      throw new Error('The service does not answer. Is it running?')
    })
    if (response.status === 401 && await askForKey()) continue
    if (!response.ok) throw await failure(response)
    return response
  }
}

export const get = async (path, signal) => (await send(path, { signal })).json()
export const post = async (path, json, signal) => (await send(path, { method: 'POST', json, signal })).json()
export const remove = async path => (await send(path, { method: 'DELETE' })).json()
export const upload = async (path, form) => (await send(path, { method: 'POST', body: form })).json()
export const blob = async (path, signal) => (await send(path, { signal })).blob()

export const job = (id, part = '') => `${JOBS}/${encodeURIComponent(id)}${part}`

/** Address of a file for a media element: its own where no key is needed, so that ranges are used. */
export async function media(path) {
  return hasKey() ? URL.createObjectURL(await blob(path)) : path
}

/** Save a file under a name. */
export async function download(path, name) {
  const address = URL.createObjectURL(await blob(path))
  h('a', { href: address, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

/** Yield the server-sent events of a path: objects with `type`. */
export async function* events(path, signal) {
  const response = await send(path, { signal })
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    text += value
    const parts = text.split('\n\n')
    text = parts.pop()
    for (const part of parts) {
      const data = part.split('\n').filter(line => line.startsWith('data: ')).map(line => line.slice(6)).join('\n')
      if (data) yield JSON.parse(data)
    }
  }
}

let asking = null

function askForKey() {
  asking ??= dialog('Key', close => {
    const input = h('input', { type: 'password', autocomplete: 'off', required: true, name: 'key' })
    const form = h('form', { method: 'dialog' },
      h('p', {}, 'This service needs a key. It stays in this tab until you close it.'),
      field('Key', input),
      h('div', { class: 'actions' }, h('button', { class: 'primary' }, 'Use this key')))
    form.addEventListener('submit', event => {
      event.preventDefault()
      busy(form, async () => {
        const key = input.value.trim()
        const response = await fetch('/v1/models', { headers: { Authorization: `Bearer ${key}` } })
        if (!response.ok) throw await failure(response)
        sessionStorage.setItem(KEY, key)
        close(true)
      })
    })
    return form
  }).finally(() => { asking = null })
  return asking
}
