// One job: progress, the sound while it grows, the transcript, other takes, changes, downloads.
import { blob, download, events, get, job as path, JOBS, media, post, remove } from '/page/api.js'
import { busy, button, clock, dialog, duration, h, notify, plural } from '/page/dom.js'
import { formatChoice, isSound } from '/page/formats.js'
import { Player } from '/page/player.js'
import { report } from '/page/report.js'
import { silence, sound } from '/page/sound.js'
import { ended, statusOf } from '/page/status.js'
import { takesDialog } from '/page/takes.js'
import { Timeline } from '/page/timeline.js'
import { Transcript } from '/page/transcript.js'

const STAGES_MS = 1000
const AGAIN_MS = 2000

export async function jobView(id, given, signal) {
  const page = new JobPage(await get(path(id), signal), given, signal)
  page.follow().catch(error => { if (!signal.aborted) notify(error.message, 'error') })
  return page.element
}

class JobPage {
  constructor(job, given, signal) {
    this.id = job.id
    this.signal = signal
    signal.addEventListener('abort', silence)
    this.wanted = given.has('turn') ? Number(given.get('turn')) : null
    this.save = given.get('save')
    this.durations = []
    this.title = h('h1', {})
    this.state = h('p', { class: 'state', role: 'status' })
    this.bar = h('progress', { max: 100, 'aria-label': 'Progress' })
    this.actions = h('div', { class: 'actions' })
    this.body = h('div', { class: 'body' })
    this.player = new Player({
      fetchSoFar: () => this.fetchSoFar(), signal,
      onTime: at => this.transcript?.at(at, !this.player.audio.paused),
    })
    this.element = h('article', { class: 'job' }, h('div', { class: 'head' }, this.title, this.actions), this.state, this.bar, this.body, this.player.element)
    this.show(job)
  }

  show(job) {
    this.job = job
    const title = job.title || job.id
    this.title.textContent = title
    document.title = `${title} – voxchord`
    const facts = [statusOf(job)]
    if (job.segments && !ended(job.status)) facts.push(`${Math.max(job.segments_done, this.timeline?.done ?? 0)} of ${plural(job.segments, 'segment')}`)
    if (job.eta_s !== null && !ended(job.status)) facts.push(`about ${duration(job.eta_s)} to go`)
    if (job.duration_s !== null) facts.push(`${duration(job.duration_s)} of audio`, plural(job.segments, 'segment'))
    if (job.cost?.cpu_s) facts.push(`${duration(job.cost.cpu_s)} of CPU time`)
    if (job.cost?.gpu_active_s) facts.push(`${duration(job.cost.gpu_active_s)} of GPU time`)
    if (job.revision) facts.push(`revision ${job.revision}`)
    this.state.replaceChildren(h('span', { class: `pill ${job.status}` }, facts[0]), ` ${facts.slice(1).join(' · ')}`)
    if (job.error && job.error.code !== 'cancelled') this.state.append(h('span', { class: 'problem' }, job.error.message))
    this.bar.hidden = ended(job.status)
    this.bar.value = job.progress
    this.showActions(job)
  }

  showActions(job) {
    const shown = `${job.status} ${job.revision}`
    if (this.actions.dataset.shown === shown) return
    this.actions.dataset.shown = shown
    const again = part => async () => { this.show(await post(path(this.id, part), {})); this.follow() }
    const cancel = button('Cancel', () => busy(cancel, async () => this.show(await post(path(this.id, '/cancel'), {}))))
    const retry = button('Retry', () => busy(retry, again('/retry')), { class: 'primary' })
    const gone = button('Delete', () => busy(gone, async () => {
      if (!await confirmed(`Delete ${job.title || job.id}?`)) return
      await remove(path(this.id))
      location.hash = '#/jobs'
    }), { class: 'quiet' })
    const load = button('Download', () => this.downloads(), { class: 'primary' })
    this.actions.replaceChildren(...(job.status === 'completed' ? [load, gone] : job.status === 'failed' ? [retry, gone] : [cancel]))
  }

  async follow() {
    if (this.job.segments) await this.prepare()
    this.watchStages()
    while (!ended(this.job.status) && !this.signal.aborted) {
      for await (const event of events(path(this.id, '/events'), this.signal)) await this.heard(event)
      if (!ended(this.job.status)) await new Promise(resolve => setTimeout(resolve, AGAIN_MS))
    }
    if (this.job.status === 'completed') await this.complete()
    else if (this.transcript) await this.warnings()
  }

  async heard(event) {
    if (event.type === 'audio.job.segment') {
      if (!this.transcript) await this.prepare(event.of)
      this.durations[event.segment] = event.duration_s
      this.timeline.set(event.segment, 'verify')
      this.timeline.summarise()
      this.transcript.estimate(this.durations.slice(0, this.playable()), this.soFar ?? 0)
      if (this.playable()) this.player.grow().catch(error => { if (!this.signal.aborted) notify(error.message, 'error') })
    } else if (event.job) {
      this.show(event.job)
      if (event.job.segments && !this.transcript) await this.prepare()
    }
  }

  /** Number of segments of the finished start. */
  playable() {
    let count = 0
    while (this.durations[count] !== undefined && this.durations[count] !== null) count += 1
    return count
  }

  async prepare(segments = this.job.segments) {
    if (this.transcript) return
    const script = await get(path(this.id, '/script'), this.signal)
    if (this.transcript) return
    this.timeline = new Timeline(segments, segment => this.reveal(segment))
    this.transcript = new Transcript(script, {
      hear: index => this.hear(index),
      seek: seconds => this.player.seek(seconds),
      change: (index, text) => this.change(index, text),
      takes: index => this.takes(index),
    })
    const from = this.job.metadata.based_on
    const note = from ? h('p', { class: 'muted' }, 'Made from ', h('a', { href: `#/jobs/${encodeURIComponent(from)}` }, 'an earlier version'), ' (', h('a', { href: `#/compare/${encodeURIComponent(from)}/${encodeURIComponent(this.id)}` }, 'compare'), ').') : null
    this.extras = h('div', { class: 'extras' })
    this.body.replaceChildren(this.timeline.element, ...(note ? [note] : []), this.extras, this.transcript.element)
  }

  async fetchSoFar() {
    const data = await blob(path(this.id, '/content?so_far=true'), this.signal)
    const address = URL.createObjectURL(data)
    const probe = new Audio(address)
    probe.addEventListener('loadedmetadata', () => {
      this.soFar = probe.duration
      this.transcript?.estimate(this.durations.slice(0, this.playable()), this.soFar)
    }, { once: true })
    return address
  }

  async complete() {
    const [turns, words, manifest] = await Promise.all(['/turns', '/words', '/manifest'].map(part => get(path(this.id, part), this.signal)))
    this.transcript.time(turns, words)
    if (this.isSound) await this.player.finish(await media(path(this.id, `/content?revision=${this.job.revision ?? 0}`)))
    else this.player.close()
    this.extras.replaceChildren(...[await this.contents(manifest), report(manifest)].filter(Boolean))
    await this.warnings()
    if (this.wanted !== null) {
      this.transcript.reveal(this.wanted)
      this.transcript.show(this.wanted)
      await this.hear(this.wanted)
      this.wanted = null
    }
    if (this.save) await download(path(this.id, '/content'), `${this.id}.${this.job.response_format}`)
    this.save = null
  }

  /** Chapters of the file, to go to. */
  async contents(manifest) {
    if (!manifest.chapters) return null
    const chapters = await get(path(this.id, '/chapters'), this.signal)
    const rows = chapters.map(chapter => h('li', {}, button(chapter.title, () => {
      this.player.seek(chapter.start_s)
      this.transcript.at(chapter.start_s + 0.05, true)
    }, { class: 'link' }), h('small', {}, clock(chapter.start_s))))
    return h('details', { class: 'contents' }, h('summary', {}, 'Chapters'), h('ol', {}, rows))
  }

  async warnings() {
    for (let after = -1, more = true; more && !this.signal.aborted;) {
      const page = await get(path(this.id, `/segments?limit=500&after=${after}`), this.signal)
      for (const segment of page.data) {
        const stage = { completed: 'verify', failed: 'failed', pending: 'pending' }[segment.status]
        this.timeline.set(segment.segment, stage)
        const texts = segment.error ? [segment.error, ...segment.findings] : segment.findings
        if (texts.length) this.transcript.warn(segment.segment, texts)
        after = segment.segment
      }
      more = page.has_more
    }
    this.timeline.summarise()
  }

  async watchStages() {
    while (!ended(this.job.status) && !this.signal.aborted) {
      if (this.timeline && this.job.status === 'in_progress') {
        const found = await get(path(this.id, '/stages'), this.signal).catch(() => ({ stages: [] }))
        found.stages.forEach((stage, index) => { this.timeline.set(index, stage) })
        this.timeline.summarise()
        if (this.job.status === 'in_progress') this.show(this.job)
      }
      await new Promise(resolve => setTimeout(resolve, STAGES_MS))
    }
  }

  reveal(segment) {
    const index = this.transcript.script.places.findIndex(place => place.segments.includes(segment))
    if (index >= 0) this.transcript.reveal(index)
  }

  get isSound() { return isSound(this.job.response_format) }

  async hear(index) {
    if (!this.isSound && this.job.status === 'completed') return this.hearSegment(this.transcript.script.places[index].segments[0])
    const { starts, ends } = this.transcript
    if (starts[index] !== undefined) return this.player.playPart(starts[index], ends[index])
    if (this.job.status !== 'completed') return notify('This line is not made yet.')
    this.wanted = index // until its times are loaded
    return undefined
  }

  /** Of a file that is no sound, such as an archive, the segment of a line is heard. */
  hearSegment(segment) {
    return sound(media(path(this.id, `/segments/${segment}/audio?format=mp3`)))
  }

  async change(index, text) {
    if (!text.trim()) throw new Error('The line is empty.')
    const { request } = this.transcript.script
    const input = request.input.map((turn, each) => (each === index ? { ...turn, text } : turn))
    const made = await post(JOBS, { ...request, input, base_job: this.id, metadata: { based_on: this.id } })
    location.hash = `#/jobs/${encodeURIComponent(made.id)}?turn=${index}`
  }

  async takes(index) {
    const place = this.transcript.script.places[index]
    const turn = this.transcript.script.request.input[index]
    const finished = this.job.status === 'completed'
    if (await takesDialog(this.id, place.segments, `Takes of line ${place.source_line}, ${turn.speaker}`, { finished })) {
      this.show(await get(path(this.id), this.signal))
      await this.complete()
    }
  }

  downloads() {
    const name = this.job.title.replace(/[^\p{L}\p{N} _.-]+/gu, '').trim() || this.id
    return dialog('Download', close => {
      const files = [[this.isSound ? 'Audio' : 'File', '/content', this.job.response_format], ['Subtitles (SRT)', '/subtitles?format=srt', 'srt'],
        ['Subtitles (WebVTT)', '/subtitles?format=vtt', 'vtt'], ['Times of words', '/words', 'words.json'], ['Report of cost', '/report', 'html']]
      const rows = files.map(([label, part, ending]) => {
        const save = button(`${label}, ${ending}`, () => busy(save, () => download(path(this.id, part), `${name}.${ending}`)))
        return h('li', {}, save)
      })
      const format = formatChoice({ without: this.job.response_format, label: 'Another format', hint: 'Its segments are not made again.' })
      const convert = button('Make it', () => busy(convert, async () => {
        const made = await post(JOBS, { ...this.transcript.script.request, split_hours: undefined, ...format.request(), base_job: this.id, metadata: { based_on: this.id } })
        close()
        location.hash = `#/jobs/${encodeURIComponent(made.id)}?save=1`
      }))
      return h('div', {}, h('ul', { class: 'files' }, rows),
        format.element, convert)
    })
  }
}

/** Ask before something is lost. */
export async function confirmed(question) {
  return await dialog(question, close => h('div', { class: 'actions' },
    button('Delete', () => close(true), { class: 'danger' }), button('Keep', () => close(false)))) === true
}
