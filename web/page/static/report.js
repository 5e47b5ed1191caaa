// What the manifest reports of a finished file: loudness, checked takes, gaps, and what was left out.
import { clock, h, plural } from '/page/dom.js'

const MEASUREMENTS = {
  lufs: 'Loudness', true_peak_dbtp: 'True peak', rms_dbfs: 'RMS level', peak_dbfs: 'Peak', floor_dbfs: 'Noise floor', head_s: 'Silent start', tail_s: 'Silent end',
}
const UNITS = [['lufs', ' LUFS'], ['_dbtp', ' dBTP'], ['_dbfs', ' dBFS'], ['_s', ' s']]

/** Rows of the report; `result` is true or false where something passed or failed. */
function reportRows(manifest) {
  return [...(manifest.loudness_report ? preset(manifest.loudness_report) : [loudness(manifest.loudness)]), takes(manifest.verify), gaps(manifest.gaps), leftOut(manifest.script)].filter(Boolean)
}

/** The report as a section that is opened when it is wanted, or when something failed. */
export function report(manifest) {
  const rows = reportRows(manifest)
  if (!rows.length) return null
  const failed = rows.filter(row => row.result === false).length
  return h('details', { class: 'report', open: failed > 0 }, h('summary', {}, failed ? `Report: ${plural(failed, 'check')} failed` : 'Report'),
    h('dl', {}, rows.map(({ name, text, result, verdict }) => h('div', { class: result === false ? 'failed' : '' },
      h('dt', {}, name), h('dd', {}, mark(verdict ?? result), text)))))
}

function mark(result) {
  if (result === undefined || result === null) return null
  return h('span', { class: `pill ${result ? 'completed' : 'failed'}` }, result ? 'passes' : 'fails')
}

function loudness(found) {
  if (!found || found.lufs === null) return null
  const peak = found.true_peak_dbtp === null ? '' : `, true peak ${signed(found.true_peak_dbtp)} dBTP`
  return { name: 'Loudness', text: `${signed(found.lufs)} LUFS${peak}` }
}

/** Each measurement against the limits of the job's loudness preset. */
function preset(found) {
  const rows = found.measurements.map(each => ({
    name: MEASUREMENTS[each.name] ?? each.name,
    text: `${each.value === null ? 'silence' : measured(each.name, each.value)} (${limits(each)})${each.file ? `, file ${each.file}` : ''}`,
    result: each.passed,
  }))
  return [{ name: 'Preset', text: found.preset, verdict: found.passed }, ...rows]
}

function measured(name, value) {
  const unit = UNITS.find(([ending]) => name.endsWith(ending))?.[1] ?? ''
  return `${signed(value)}${unit}`
}

function limits({ name, least, most }) {
  if (least === null) return `at most ${measured(name, most)}`
  return most === null ? `at least ${measured(name, least)}` : `${signed(least)} to ${measured(name, most)}`
}

function takes(verify) {
  if (!verify) return null
  const parts = [`${plural(verify.segments_checked, 'segment')} checked (${verify.mode})`]
  if (verify.takes_made) parts.push(`${plural(verify.takes_made, 'take')} made again`)
  if (verify.replaced) parts.push(`${plural(verify.replaced, 'segment')} with a better take`)
  parts.push(verify.failed ? `${verify.failed} without a take that passes` : 'every take in the file passes')
  if (verify.languages_unchecked?.length) parts.push(`words not checked in ${verify.languages_unchecked.join(', ')}`)
  return { name: 'Takes', text: parts.join(', '), result: verify.segments_checked ? verify.failed === 0 : null }
}

function gaps(found) {
  if (!found.length) return null
  const places = found.slice(0, 5).map(gap => `line ${gap.source_line} at ${clock(gap.start_s)}`)
  return { name: 'Gaps', text: `${plural(found.length, 'segment')} missing: ${places.join(', ')}${found.length > 5 ? ', …' : ''}`, result: false }
}

function leftOut(script) {
  const parts = Object.entries(script?.omitted ?? {}).map(([kind, { count, words }]) => `${count.toLocaleString('en')} × ${kind}${words ? ` (${plural(words, 'word')})` : ''}`)
  return parts.length ? { name: 'Left out', text: parts.join(', ') } : null
}

function signed(value) {
  return value.toFixed(1).replace('-', '−')
}
