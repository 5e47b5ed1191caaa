// A voice from the microphone, for which Chromium plays a file; another one whose microphone only beeps.
import { open } from './browser.mjs'
import { Inspection } from './inspection.mjs'

const [speech, name] = process.argv.slice(2)
const MICROPHONE = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']
const seen = {}

async function opened(flags) {
  const { browser, page, complaints } = await open({ flags: [...MICROPHONE, ...flags] })
  await page.goto(process.env.PAGE_URL)
  await page.getByRole('textbox', { name: 'Script', exact: true }).fill('Ann: The harbour was quiet that morning.\n\nBen: It was.')
  await page.getByRole('button', { name: 'Add a voice…' }).click()
  return { browser, page, complaints, dialog: page.getByRole('dialog', { name: 'Add a voice' }) }
}

async function record(page, dialog, seconds) {
  await dialog.getByRole('button', { name: /^Record( again)?$/ }).click()
  await dialog.getByRole('button', { name: 'Stop' }).waitFor()
  await page.waitForTimeout(seconds * 1000)
  await dialog.getByRole('button', { name: 'Stop' }).click()
  await dialog.getByText('it is used in place of a file').waitFor()
}

{ // beeps are no voice
  const { browser, page, dialog } = await opened([])
  await record(page, dialog, 3)
  await dialog.getByLabel('Name').fill('Beeps')
  await dialog.getByLabel('Consent').fill('nobody')
  await dialog.getByRole('button', { name: 'Add', exact: true }).click()
  await page.locator('.notice.error').waitFor()
  seen.refused = await page.locator('.notice.error span').textContent()
  seen.stillOpen = await dialog.isVisible()
  await browser.close()
}

const { browser, page, complaints, dialog } = await opened([`--use-file-for-fake-audio-capture=${speech}`])
const inspection = new Inspection(page)
await inspection.inspect('voice-1-dialog')
await dialog.getByLabel('Name').fill(name)
await dialog.getByLabel('Consent').fill('signed on paper, 3 May')
await dialog.getByRole('button', { name: 'Add', exact: true }).click()
await page.getByText('Choose or record a recording first.').waitFor()
await inspection.inspect('voice-1-error')
await dialog.locator('.notice.error').getByRole('button', { name: 'Dismiss' }).click()
await record(page, dialog, 5)
await dialog.getByRole('button', { name: 'Hear it' }).click()
await inspection.inspect('voice-2-recorded')
await dialog.getByRole('button', { name: 'Add', exact: true }).click()
await page.getByText(`The voice ${name} is ready.`).waitFor()
const checked = page.waitForResponse(response => response.url().endsWith('/v1/audio/check'))
await page.getByLabel('Voice of Ben', { exact: true }).selectOption(name)
seen.voices = (await (await checked).json()).speakers.map(each => [each.name, each.voice])
const spoken = page.waitForResponse(response => response.url().endsWith('/v1/audio/speech'))
await page.getByRole('button', { name: 'Hear the voice of Ben' }).click()
seen.preview = (await spoken).status()

// the microphone is free when the dialog is closed while it records
await page.getByRole('button', { name: 'Add a voice…' }).click()
await page.evaluate(() => {
  const { getUserMedia } = navigator.mediaDevices
  navigator.mediaDevices.getUserMedia = async asked => { window.stream = await getUserMedia.call(navigator.mediaDevices, asked); return window.stream }
})
await dialog.getByRole('button', { name: 'Record', exact: true }).click()
await dialog.getByRole('button', { name: 'Stop' }).waitFor()
await page.keyboard.press('Escape')
await dialog.waitFor({ state: 'hidden' })
await page.waitForFunction(() => window.stream.getTracks().every(track => track.readyState === 'ended'))
console.log(JSON.stringify({ ...seen, axe: inspection.axe, wide: inspection.wide, complaints }))
await browser.close()
