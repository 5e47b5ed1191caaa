// The cast: a voice for each speaker, to hear before anything is rendered, and uploads of new ones.
import { get, send, upload } from '/page/api.js'
import { busy, button, clock, dialog, field, h, notify, plural } from '/page/dom.js'
import { sound } from '/page/sound.js'

const SAMPLE = 'Hello. This is how I sound when I read for you.'
const GROUPS = [['preset', 'Voices'], ['recording', 'Recordings'], ['variation', 'Variations']]
const PATH = '/v1/audio/voices'

export const loadVoices = async signal => (await get(PATH, signal)).voices.filter(each => each.kind !== 'alias')

export function castTable(voices, onChange) {
  const chosen = new Map()
  const further = new Map()
  const rows = h('ul', { class: 'cast' })
  const add = button('Add a voice…', () => newVoice(voices).then(added => { if (added) show(speakers) }), { class: 'quiet' })
  let speakers = []

  function selection(speaker) {
    const select = h('select', { 'aria-label': `Voice of ${speaker.name}` })
    const current = chosen.get(speaker.name) ?? speaker.voice
    for (const [kind, label] of GROUPS) {
      const names = voices.filter(each => each.kind === kind)
      if (names.length) select.append(h('optgroup', { label }, names.map(each => h('option', { value: each.id, selected: each.id === current }, each.name))))
    }
    if (!voices.some(each => each.id === current)) select.prepend(h('option', { value: current, selected: true }, current || 'Choose…'))
    select.addEventListener('change', () => { chosen.set(speaker.name, select.value); onChange() })
    return select
  }

  /** Pace and other names of a speaker, as they were entered. */
  function details(speaker) {
    const own = further.get(speaker.name) ?? { pace: '', aliases: '', open: false }
    further.set(speaker.name, own)
    const changed = (key, value) => { own[key] = value; onChange() }
    const pace = h('input', { type: 'number', min: 0.25, max: 4, step: 0.05, placeholder: '1', value: own.pace, 'aria-label': `Pace of ${speaker.name}`,
      on: { change: () => changed('pace', pace.value) } })
    const aliases = h('input', { maxlength: 500, placeholder: 'Benny, Mr. B.', value: own.aliases, 'aria-label': `Other names of ${speaker.name}`,
      on: { change: () => changed('aliases', aliases.value) } })
    const shown = [own.pace && `pace ${own.pace}`, own.aliases && `also ${own.aliases}`].filter(Boolean).join(', ')
    const element = h('details', { class: 'further', open: own.open, on: { toggle: () => { own.open = element.open } } },
      h('summary', {}, 'Pace and other names', h('span', { class: 'hidden' }, ` of ${speaker.name}`), shown ? `: ${shown}` : ''),
      h('div', { class: 'pair' }, field('Pace', pace, 'Factor of the speaking rate.'), field('Other names', aliases, 'With commas, as the script has them.')))
    return element
  }

  /** A voice alone, or an entry with pace and other names. */
  function entry(name) {
    const own = further.get(name)
    const aliases = (own?.aliases ?? '').split(',').map(each => each.trim()).filter(Boolean)
    const pace = Number(own?.pace) || 1
    const voice = chosen.get(name)
    if (pace === 1 && !aliases.length) return voice
    return { ...(voice === undefined ? {} : { voice }), ...(pace === 1 ? {} : { pace }), ...(aliases.length ? { aliases } : {}) }
  }

  /** A voice that nobody has. */
  function unused() {
    const used = new Set(speakers.map(speaker => chosen.get(speaker.name) ?? speaker.voice))
    return (voices.find(voice => !used.has(voice.id)) ?? voices[0])?.id ?? ''
  }

  const controls = row => [...row?.querySelectorAll('select, button, summary, input') ?? []]

  /** Speaker and number of the control that has the focus, which the cast keeps when it is shown again. */
  function placeOfFocus() {
    const row = document.activeElement.closest?.('.cast li')
    return row ? { speaker: row.dataset.speaker, index: controls(row).indexOf(document.activeElement) } : null
  }

  /** Those with an entry. */
  function names() {
    return [...new Set([...chosen.keys(), ...further.keys()])].filter(name => entry(name) !== undefined)
  }

  function show(found) {
    speakers = found
    for (const own of [chosen, further]) for (const name of own.keys()) if (!found.some(each => each.name === name)) own.delete(name)
    const focused = placeOfFocus()
    rows.replaceChildren(...found.map(speaker => {
      const select = selection(speaker)
      const hear = button('Hear', () => busy(hear, () => sound(spokenBy(select.value))), { 'aria-label': `Hear the voice of ${speaker.name}` })
      return h('li', { 'data-speaker': speaker.name },
        h('div', { class: 'who' }, h('strong', {}, speaker.name), h('small', {}, `${plural(speaker.turns, 'turn')}, ${plural(speaker.words, 'word')}`)),
        select, hear, details(speaker))
    }))
    if (focused) controls([...rows.children].find(row => row.dataset.speaker === focused.speaker))[focused.index]?.focus()
    add.hidden = !found.length
  }

  return {
    element: h('div', {}, rows, add),
    show,
    voices: () => Object.fromEntries(names().map(name => [name, entry(name)])),
    names,
    give(name) { chosen.set(name, unused()) },
    take(name) { chosen.delete(name) },
  }
}

/** Address of a sample of a voice. */
async function spokenBy(voice) {
  const response = await send('/v1/audio/speech', { method: 'POST', json: { input: SAMPLE, voice, response_format: 'mp3' } })
  return URL.createObjectURL(await response.blob())
}

/** Ask for a recording, from a file or the microphone, and register it. */
function newVoice(voices) {
  const recorder = recording()
  return dialog('Add a voice', close => {
    const name = h('input', { required: true, maxlength: 40, pattern: '[A-Za-z0-9][A-Za-z0-9 _.\\-]*' })
    const file = h('input', { type: 'file', accept: 'audio/*' })
    const consent = h('input', { required: true, maxlength: 2000 })
    const form = h('form', {},
      h('p', {}, 'A clear recording of one person, 5 to 30 seconds long, without music.'),
      field('Name', name, 'Letters, digits, spaces, and _ . -'), field('Recording', file), recorder.element,
      field('Consent', consent, 'How the person agreed to this use; it is stored with the voice.'),
      h('div', { class: 'actions' }, h('button', { class: 'primary' }, 'Add')))
    form.addEventListener('submit', event => {
      event.preventDefault()
      busy(form, async () => {
        const sample = recorder.sample() ?? file.files[0]
        if (!sample) throw new Error('Choose or record a recording first.')
        const data = new FormData()
        for (const [key, value] of [['name', name.value], ['consent', consent.value], ['audio_sample', sample]]) data.append(key, value)
        const made = await upload(PATH, data)
        if (!voices.some(each => each.id === made.id)) voices.push({ id: made.id, name: made.name, kind: 'recording' })
        notify([`The voice ${made.name} is ready.`, ...made.notices].join(' '))
        close(made)
      })
    })
    return form
  }).finally(() => recorder.close())
}

/** A recorder of the microphone; what it recorded can be heard before it is used. */
function recording() {
  let recorder = null
  let stream = null
  let sample = null
  let timer = 0
  const playback = new Audio()
  const state = h('small', { role: 'status' })
  const hear = button('Hear it', () => busy(hear, () => playback.play()), { hidden: true })
  const toggle = button('Record', () => busy(toggle, () => (recorder ? recorder.stop() : start())))

  async function start() {
    playback.pause()
    stream = await navigator.mediaDevices.getUserMedia({ audio: true })
    const parts = []
    const began = performance.now()
    recorder = new MediaRecorder(stream)
    recorder.addEventListener('dataavailable', event => parts.push(event.data))
    recorder.addEventListener('stop', () => recorded(parts, (performance.now() - began) / 1000))
    recorder.start()
    hear.hidden = true
    toggle.textContent = 'Stop'
    state.textContent = 'Recording…'
    timer = setInterval(() => { state.textContent = `Recording… ${clock((performance.now() - began) / 1000)}` }, 1000)
  }

  function recorded(parts, seconds) {
    release()
    sample = new File(parts, 'recording.webm', { type: recorder.mimeType })
    URL.revokeObjectURL(playback.src)
    playback.src = URL.createObjectURL(sample)
    recorder = null
    hear.hidden = false
    toggle.textContent = 'Record again'
    state.textContent = `${clock(seconds)} recorded; it is used in place of a file.`
  }

  function release() {
    clearInterval(timer)
    for (const track of stream?.getTracks() ?? []) track.stop()
  }

  const can = Boolean(navigator.mediaDevices && window.MediaRecorder)
  return {
    element: h('div', { class: 'actions', hidden: !can }, toggle, hear, state),
    sample: () => sample,
    close() { playback.pause(); release(); URL.revokeObjectURL(playback.src) },
  }
}
