// Segments of a job as a strip of cells, by stage, as they run.
import { h, plural } from '/page/dom.js'

const STAGES = ['pending', 'text', 'semantic', 'diffusion', 'verify', 'failed']
const LABELS = { pending: 'waiting', text: 'text', semantic: 'semantic', diffusion: 'diffusion', verify: 'finished', failed: 'failed' }
const CELLS_MAX = 600

export class Timeline {
  constructor(segments, onPick) {
    this.states = new Array(segments).fill('pending')
    this.perCell = Math.ceil(segments / CELLS_MAX)
    this.cells = Array.from({ length: Math.ceil(segments / this.perCell) }, (_, index) => {
      const cell = h('span', { class: 'cell', 'data-stage': 'pending' })
      cell.addEventListener('click', () => onPick(index * this.perCell))
      return cell
    })
    this.strip = h('div', { class: 'strip', role: 'img' }, this.cells)
    this.legend = h('p', { class: 'legend' })
    this.element = h('div', { class: 'timeline' }, this.strip, this.legend)
    this.summarise()
  }

  get done() { return this.states.filter(state => state === 'verify').length }

  set(index, stage) {
    if (this.states[index] === stage || this.states[index] === 'verify') return
    this.states[index] = stage
    const cell = Math.floor(index / this.perCell)
    const states = this.states.slice(cell * this.perCell, (cell + 1) * this.perCell)
    const least = states.includes('failed') ? 'failed' : STAGES[Math.min(...states.map(state => STAGES.indexOf(state)))]
    this.cells[cell].dataset.stage = least
    this.cells[cell].title = `Segment ${index}: ${LABELS[stage]}`
  }

  summarise() {
    const counts = STAGES.map(stage => [stage, this.states.filter(state => state === stage).length]).filter(([, count]) => count)
    this.strip.setAttribute('aria-label', `${plural(this.states.length, 'segment')}: ${counts.map(([stage, count]) => `${count} ${LABELS[stage]}`).join(', ')}`)
    this.legend.replaceChildren(...counts.map(([stage, count]) => h('span', { 'data-stage': stage }, `${count} ${LABELS[stage]}`)))
  }
}
