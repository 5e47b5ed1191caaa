// An uploaded book: chapters, what is left out, a voice for quoted speech, the job, and a book of text.
import { open } from './browser.mjs'
import { Inspection } from './inspection.mjs'

const [epub, markdown, broken] = process.argv.slice(2)
const { browser, page, complaints } = await open()
const inspection = new Inspection(page)
const uploads = []
page.on('request', request => { if (request.method() === 'POST' && request.url().endsWith('/v1/audio/books')) uploads.push(request.url()) })
const checked = () => page.waitForResponse(response => response.url().endsWith('/v1/audio/check') && response.ok()).then(response => response.json())
const file = page.getByLabel('Script or book')
const chapters = () => page.locator('.chapters li').evaluateAll(rows => rows.map(row => ({
  number: row.querySelector('.number').textContent, title: row.querySelector('.title').textContent,
  facts: row.querySelector('small').textContent, read: row.querySelector('input').checked })))
const seen = {}

await page.goto(process.env.PAGE_URL)
await page.getByText('Paste a script, and its speakers appear here.').waitFor()

// a file that is no book
await file.setInputFiles(broken)
await page.locator('.notice.error').waitFor()
seen.refused = await page.locator('.notice.error span').textContent()
await page.locator('.notice.error').getByRole('button', { name: 'Dismiss' }).click()

// chapters, and what is left out
const whole = checked()
await file.setInputFiles(epub)
seen.whole = await whole
await page.locator('.cast li').first().waitFor()
seen.chapters = await chapters()
seen.title = await page.getByLabel('Title', { exact: true }).inputValue()
seen.leftOut = await page.locator('.left-out li').allTextContents()
await inspection.inspect('book-1-chapters')

// other chapters
const part = checked()
await page.getByRole('checkbox', { name: 'Chapter Two' }).uncheck()
seen.part = await part
seen.status = await page.getByText('chapters chosen').textContent()
await page.getByRole('button', { name: 'None' }).click()
await page.getByText('Choose a chapter.').waitFor()
seen.blocked = await page.getByRole('button', { name: 'Render' }).isDisabled()
const again = checked()
await page.getByRole('button', { name: 'Without matter' }).click()
await again

// a voice for quoted speech
const quoted = checked()
await page.getByRole('checkbox', { name: 'Another voice for quoted speech' }).check()
seen.speakers = (await quoted).speakers
const voiced = checked()
await page.getByLabel('Voice of Quoted', { exact: true }).selectOption('heron')
seen.voices = (await voiced).speakers.map(each => [each.name, each.voice])
await inspection.inspect('book-2-cast')

// the page is loaded again: the book is there without another upload
await page.reload()
await page.locator('.chapters li').first().waitFor()
await page.locator('.cast li').first().waitFor()
seen.reloaded = (await chapters()).length
seen.uploads = uploads.length

// its job
await page.getByRole('checkbox', { name: 'Another voice for quoted speech' }).check()
await page.getByLabel('Voice of Quoted', { exact: true }).waitFor()
await page.getByRole('button', { name: 'Render' }).click()
await page.waitForFunction(() => document.querySelector('.state')?.textContent.startsWith('Finished'))
await page.getByText('Chapters', { exact: true }).click()
await page.locator('.contents li').first().waitFor()
seen.contents = await page.locator('.contents button').allTextContents()
await page.locator('.contents button').nth(2).click()
seen.at = await page.evaluate(() => document.querySelector('.player audio').currentTime)
await inspection.inspect('book-3-job')
seen.job = await page.evaluate(() => location.hash.match(/jobs\/([^?]+)/)[1])

// Markdown is a script, and a book if it is wanted
await page.getByRole('link', { name: 'New' }).click()
await page.getByRole('button', { name: 'Close the book' }).click()
await page.getByRole('textbox', { name: 'Script', exact: true }).waitFor()
await file.setInputFiles(markdown)
await page.locator('.cast li').first().waitFor()
seen.text = (await page.getByRole('textbox', { name: 'Script', exact: true }).inputValue()).length
await page.getByRole('button', { name: 'Read it as a book' }).click()
await page.locator('.chapters li').first().waitFor()
seen.markdown = (await chapters()).map(each => each.title)
console.log(JSON.stringify({ ...seen, axe: inspection.axe, wide: inspection.wide, complaints }))
await browser.close()
