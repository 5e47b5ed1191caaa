// Two jobs side by side: their scripts line by line, voices and options, and what each stage cost.
import { get, job as path } from '/page/api.js'
import { duration, h, plural } from '/page/dom.js'
import { statusOf } from '/page/status.js'

const TITLES = {
  attempts: 'Attempts', unsuccessful: 'Unsuccessful', run_s: 'Run time', cpu_s: 'CPU time', gpu_s: 'GPU active', energy_j: 'Energy',
  wait_s: 'Mean queue wait', starved_s: 'No free core', peak_mib: 'Peak memory', audio_s: 'Audio',
}
const SETTINGS = { response_format: 'format', on_error: 'failed segments', first_segment_words: 'words of the first segment' }

export async function compareView(a, b, signal) {
  const found = await get(path(a, `/comparison?other=${encodeURIComponent(b)}`), signal)
  return h('article', { class: 'compare' }, h('h1', {}, 'Two jobs compared'), heads(found), summary(found), settings(found), lines(found), stages(found))
}

const nameOf = job => job.title || job.id

function heads({ a, b }) {
  return h('div', { class: 'sides' }, [['A', a], ['B', b]].map(([side, job]) => h('section', { class: 'card', 'aria-label': `Job ${side}` },
    h('h2', {}, h('span', { class: 'side-mark' }, side), h('a', { href: `#/jobs/${encodeURIComponent(job.id)}` }, nameOf(job))),
    h('p', {}, h('span', { class: `pill ${job.status}` }, statusOf(job)), ' ', h('small', {}, facts(job).join(' · '))))))
}

function facts(job) {
  return [new Date(job.created_at * 1000).toLocaleString(), plural(job.segments, 'segment'),
    job.duration_s === null ? null : `${duration(job.duration_s)} of audio`,
    job.cost?.cpu_s ? `${duration(job.cost.cpu_s)} of CPU time` : null].filter(Boolean)
}

function summary({ segments, turns_shared: shared, changes, changes_omitted: omitted }) {
  const count = changes.length + omitted
  return h('p', { class: 'muted' }, [
    count ? `${plural(count, 'change')} in the script, ${plural(shared, 'line')} equal` : 'The scripts are equal',
    `${plural(segments.shared, 'segment')} shared, ${segments.a.length} in A alone, ${segments.b.length} in B alone`,
  ].join('; '), '.')
}

function settings({ settings: found }) {
  if (!found.length) return null
  const rows = found.map(each => h('tr', {}, h('th', { scope: 'row' }, SETTINGS[each.name] ?? each.name), h('td', {}, each.a ?? '–'), h('td', {}, each.b ?? '–')))
  return section('Voices and options', table(['', 'A', 'B'], rows, 'Voices and options that differ'))
}

function lines({ changes, changes_omitted: omitted }) {
  if (!changes.length) return null
  const rows = changes.map(change => h('li', {}, part('A', change.a, 'removed'), part('B', change.b, 'added')))
  return section('Script', h('ol', { class: 'changes' }, rows), omitted ? h('p', { class: 'muted' }, `and ${plural(omitted, 'more change')}`) : null)
}

function part(side, turns, kind) {
  const texts = turns.map(turn => h('div', {}, h('p', { class: 'turn-head' }, h('strong', {}, turn.speaker), h('small', {}, `line ${turn.source_line}`)),
    h('p', { class: 'words' }, turn.text)))
  return h('div', { class: turns.length ? kind : 'absent' }, h('span', { class: 'hidden' }, `Job ${side}:`), turns.length ? texts : h('small', {}, 'no such line'))
}

function stages({ stages: found }) {
  if (found === null) return section('Cost', h('p', { class: 'problem' }, 'The history does not answer.'))
  if (!found.length) return section('Cost', h('p', { class: 'muted' }, 'The history has no figures of these jobs yet.'))
  const rows = found.flatMap(stage => [
    h('tr', { class: 'stage' }, h('th', { colspan: 4, scope: 'rowgroup' }, stage.stage,
      stage.differs ? h('span', { class: 'pill' }, stage.differs === 'missing' ? 'one job only' : `${stage.differs} differs`) : null)),
    ...stage.figures.map(each => h('tr', {}, h('th', { scope: 'row' }, TITLES[each.name] ?? each.name),
      h('td', {}, shown(each.name, each.a)), h('td', {}, shown(each.name, each.b)), h('td', {}, change(each))))])
  return section('Cost', table(['Figure', 'A', 'B', 'Change'], rows, 'Cost of each stage'),
    h('p', { class: 'muted' }, 'Times are sums over all attempts, waits are means. A stage is marked if a figure differs by more than a quarter.'))
}

function section(title, ...content) {
  return h('section', {}, h('h2', {}, title), ...content)
}

/** A table that scrolls by itself where the page is narrow. */
function table(heads, rows, caption) {
  return h('div', { class: 'scrolling', tabindex: 0, role: 'region', 'aria-label': caption },
    h('table', {}, h('thead', {}, h('tr', {}, heads.map(each => (each ? h('th', { scope: 'col' }, each) : h('td', {}))))), h('tbody', {}, rows)))
}

function shown(name, value) {
  if (value === null) return '–'
  if (name.endsWith('_s')) return value < 0.1 ? `${Math.round(value * 1000)} ms` : value < 60 ? `${value.toFixed(value < 10 ? 2 : 1)} s` : duration(value)
  if (name.endsWith('_mib')) return `${Math.round(value).toLocaleString('en')} MiB`
  if (name.endsWith('_j')) return `${Math.round(value).toLocaleString('en')} J`
  return Math.round(value).toLocaleString('en')
}

function change({ a, b }) {
  if (!a || b === null) return '–'
  const percent = Math.round(100 * (b / a - 1))
  return `${percent > 0 ? '+' : percent < 0 ? '−' : '±'}${Math.abs(percent)} %`
}
