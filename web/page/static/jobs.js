// The list of jobs: search, open, cancel, retry, delete, and two of them to compare.
import { get, job as path, JOBS, post, remove } from '/page/api.js'
import { busy, button, h, options } from '/page/dom.js'
import { confirmed } from '/page/job.js'
import { ended, statusOf } from '/page/status.js'

const STATUSES = [['', 'All'], ['queued', 'Waiting'], ['in_progress', 'Rendering'], ['completed', 'Finished'], ['failed', 'Failed']]
const PAUSE_MS = 250
const AGAIN_MS = 3000

export async function jobsView(signal) {
  const list = new JobList(signal)
  await list.load()
  return list.element
}

class JobList {
  constructor(signal) {
    this.signal = signal
    this.search = h('input', { type: 'search', placeholder: 'Title or ID', 'aria-label': 'Search jobs' })
    this.status = h('select', { 'aria-label': 'Status' }, options(STATUSES, ''))
    this.rows = h('ul', { class: 'jobs' })
    this.chosen = new Map()
    this.compare = h('div', { class: 'chosen', role: 'status' })
    this.more = button('More', () => busy(this.more, () => this.load(this.last)), { hidden: true })
    this.element = h('section', {}, h('div', { class: 'head' }, h('h1', {}, 'Jobs'), h('div', { class: 'actions' }, this.search, this.status)), this.compare, this.rows, this.more)
    this.search.addEventListener('input', () => this.later())
    this.status.addEventListener('change', () => this.load())
  }

  later() {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.load(), PAUSE_MS)
  }

  async load(after) {
    const query = new URLSearchParams({ limit: 50 })
    if (this.search.value.trim()) query.set('search', this.search.value.trim())
    if (this.status.value) query.set('status', this.status.value)
    if (after) query.set('after', after)
    const page = await get(`${JOBS}?${query}`, this.signal)
    const rows = page.data.map(job => this.row(job))
    if (after) this.rows.append(...rows)
    else this.rows.replaceChildren(...(rows.length ? rows : [this.empty()]))
    this.last = page.last_id
    this.more.hidden = !page.has_more
    clearTimeout(this.again)
    if (!after && page.data.some(job => !ended(job.status))) this.again = setTimeout(() => this.refresh(), AGAIN_MS)
  }

  /** Load the list again, but not under somebody's fingers. */
  refresh() {
    if (this.signal.aborted) return undefined
    if (!this.rows.contains(document.activeElement)) return this.load()
    this.again = setTimeout(() => this.refresh(), AGAIN_MS)
    return undefined
  }

  /** Choose a job to compare; the first of three is given up. */
  choose(job, isChosen) {
    this.chosen.delete(job.id)
    if (isChosen) this.chosen.set(job.id, job.title || job.id)
    if (this.chosen.size > 2) this.chosen.delete(this.chosen.keys().next().value)
    for (const box of this.rows.querySelectorAll('input[type=checkbox]')) box.checked = this.chosen.has(box.value)
    const [a, b] = [...this.chosen.keys()].map(encodeURIComponent)
    const text = b ? h('a', { class: 'button primary', href: `#/compare/${a}/${b}` }, 'Compare these two') : 'Choose another job to compare.'
    this.compare.replaceChildren(...(a ? [h('span', {}, [...this.chosen.values()].join(' and ')), text] : []))
  }

  empty() {
    const searched = this.search.value || this.status.value
    return h('li', { class: 'empty' }, searched ? 'No job matches.' : h('span', {}, 'No jobs yet. ', h('a', { href: '#/' }, 'Start one'), '.'))
  }

  row(job) {
    const name = job.title || job.id
    const running = !ended(job.status)
    const box = h('input', { type: 'checkbox', value: job.id, 'aria-label': `Compare ${name}` })
    box.checked = this.chosen.has(job.id)
    box.addEventListener('change', () => this.choose(job, box.checked))
    const act = (label, action, properties = {}) => {
      const control = button(label, () => busy(control, async () => { await action(); await this.load() }), { 'aria-label': `${label} ${name}`, ...properties })
      return control
    }
    const actions = running ? [act('Cancel', () => post(path(job.id, '/cancel'), {}))] : [
      job.status === 'failed' ? act('Retry', () => post(path(job.id, '/retry'), {})) : null,
      act('Delete', async () => { if (await confirmed(`Delete ${name}?`)) { await remove(path(job.id)); this.choose(job, false) } }, { class: 'quiet' })]
    const facts = [new Date(job.created_at * 1000).toLocaleString(), job.response_format, running && job.segments ? `${job.segments_done} of ${job.segments}` : null]
    return h('li', {}, box, h('div', {}, h('a', { href: `#/jobs/${encodeURIComponent(job.id)}` }, name), h('small', {}, facts.filter(Boolean).join(' · '))),
      h('span', { class: `pill ${job.status}` }, statusOf(job)), h('div', { class: 'actions' }, actions))
  }
}
