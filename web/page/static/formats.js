// Formats of files, by name and label.
import { field, h, options } from '/page/dom.js'

const FORMATS = [['mp3', 'MP3'], ['m4b', 'M4B'], ['opus', 'Opus'], ['aac', 'AAC'], ['flac', 'FLAC'], ['wav', 'WAV'],
  ['mp3.zip', 'MP3, a file per chapter (ZIP)'], ['m4b.zip', 'M4B, a file per chapter (ZIP)'],
  ['opus.zip', 'Opus, a file per chapter (ZIP)'], ['flac.zip', 'FLAC, a file per chapter (ZIP)']]
const READ_ALONG = ['epub', 'EPUB, read along']

const isArchive = name => name.endsWith('.zip')

/** Files of these formats are played as they are. */
export const isSound = name => !isArchive(name) && name !== READ_ALONG[0]

/** A choice of a format, and of the length of an archive's files. */
export function formatChoice({ without = '', chosen = '', label = 'Format', hint = '' } = {}) {
  const select = h('select', { on: { change: () => shown() } }, options(FORMATS.filter(([name]) => name !== without), chosen))
  const hours = h('input', { type: 'number', min: 0.001, max: 1000, step: 'any', placeholder: 'a chapter' })
  const length = field('Hours per file', hours, 'Each file ends at the last chapter or turn that fits.')
  const readAlong = h('option', { value: READ_ALONG[0] }, READ_ALONG[1])
  const shown = () => { length.hidden = !isArchive(select.value) }
  shown()
  return {
    element: h('div', { class: 'pair' }, field(label, select, hint), length),
    /** An EPUB can be read along. */
    offerReadAlong(isEpub) {
      if (isEpub) return select.append(readAlong)
      readAlong.remove()
      return shown()
    },
    request: () => ({ response_format: select.value, ...(isArchive(select.value) && Number(hours.value) ? { split_hours: Number(hours.value) } : {}) }),
  }
}
