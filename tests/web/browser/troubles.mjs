// Jobs that do not go well: warnings at their lines, takes side by side, failure, retry, cancel, and the list.
import { readFileSync } from 'node:fs'
import { open } from './browser.mjs'
import { Inspection } from './inspection.mjs'

const [suspicious, failing, long] = process.argv.slice(2).map(file => readFileSync(file, 'utf8'))
const { browser, page, complaints } = await open()
const inspection = new Inspection(page)
const seen = {}
const state = text => page.waitForFunction(wanted => document.querySelector('.state .pill')?.textContent === wanted, text, { timeout: 90_000 })

async function render(title, script, model) {
  await page.getByRole('link', { name: 'New' }).click()
  await page.getByRole('textbox', { name: 'Script', exact: true }).fill(script)
  await page.getByText('More options').click()
  await page.getByLabel('Model').selectOption(model)
  await page.getByLabel('Loudness').selectOption('podcast')
  await page.getByLabel('Title', { exact: true }).fill(title)
  await page.getByRole('button', { name: 'Render' }).click()
  await page.waitForURL(/#\/jobs\/job_/)
}

await page.goto(process.env.PAGE_URL)

// warnings of the check at their lines, and takes side by side
await render('Noisy take', suspicious, 'takes')
await state('Finished')
await page.locator('.warnings li').first().waitFor()
seen.warnings = await page.locator('.turn').evaluateAll(turns => turns.map(turn => [...turn.querySelectorAll('.warnings li')].map(each => each.textContent)))
seen.report = await page.locator('.report').evaluate(report => ({ open: report.open, summary: report.querySelector('summary').textContent, text: report.textContent }))
await inspection.inspect('trouble-1-warnings')
await page.locator('.turn').nth(1).hover()
await page.getByRole('button', { name: /^Takes of line 3/ }).click()
await page.locator('.take').nth(1).waitFor()
seen.takes = await page.locator('.take').evaluateAll(cards => cards.map(card => ({
  text: card.textContent, used: card.classList.contains('used'), left: card.getBoundingClientRect().left, top: card.getBoundingClientRect().top })))
const heard = page.waitForResponse(response => response.url().includes('/audio?take=1'))
await page.getByRole('button', { name: 'Hear Take 1 of segment 1' }).click()
seen.heard = (await heard).status()
await inspection.inspect('trouble-2-takes')
await page.getByRole('button', { name: 'Use it: Take 1 of segment 1' }).click()
await page.getByText('Take 1 is in the file now.').waitFor()
await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
await page.getByText('revision 1').waitFor()

// failure and retry
await render('Broken take', failing, 'takes')
await state('Failed')
seen.error = await page.locator('.state .problem').textContent()
await page.locator('.warnings li').first().waitFor()
seen.failedLine = await page.locator('.turn').nth(1).locator('.warnings').textContent()
seen.stages = await page.locator('.cell').evaluateAll(cells => cells.map(cell => cell.dataset.stage))
await inspection.inspect('trouble-3-failed')
const retried = page.waitForResponse(response => response.url().endsWith('/retry'))
await page.getByRole('button', { name: 'Retry' }).click()
seen.retried = (await retried).status()
await state('Failed')

// cancel on its page, and retry until it is finished
await render('Long story', long, 'hibari')
await page.locator('.cell[data-stage=verify]').first().waitFor({ timeout: 60_000 })
await page.getByRole('button', { name: 'Cancel' }).click()
await state('Cancelled')
seen.cancelledAt = await page.evaluate(async () => (await fetch(`/v1/audio/jobs/${location.hash.match(/jobs\/([^?]+)/)[1]}`)).json())
await inspection.inspect('trouble-4-cancelled')
await page.getByRole('button', { name: 'Retry' }).click()
await state('Finished')
await page.locator('.player button.primary:enabled').waitFor()
seen.finished = await page.evaluate(async () => (await fetch(`/v1/audio/jobs/${location.hash.match(/jobs\/([^?]+)/)[1]}`)).json())

// the list: search, states, retry and delete
await page.getByRole('link', { name: 'Jobs' }).click()
const titles = () => page.locator('.jobs li a').allTextContents()
const listed = () => page.waitForResponse(response => response.url().includes('/v1/audio/jobs?'))
await page.locator('.jobs li a').first().waitFor()
seen.all = await titles()
let answer = listed()
await page.getByLabel('Search jobs').fill('BROKEN')
await answer
await page.waitForFunction(() => document.querySelectorAll('.jobs li a').length === 1)
seen.found = await titles()
await inspection.inspect('trouble-5-search')
answer = listed()
await page.getByLabel('Search jobs').fill('')
await answer
answer = listed()
await page.getByLabel('Status').selectOption('failed')
await answer
await page.waitForFunction(() => document.querySelectorAll('.jobs li a').length === 1)
seen.failed = await titles()
const again = page.waitForResponse(response => response.url().endsWith('/retry'))
await page.getByRole('button', { name: 'Retry Broken take' }).click()
seen.retriedInTheList = (await again).status()
await page.getByLabel('Status').selectOption('')
await page.locator('.jobs li').filter({ hasText: 'Broken take' }).getByText('Failed').waitFor()
await page.getByRole('button', { name: 'Delete Broken take' }).click()
await page.getByRole('dialog').getByRole('button', { name: 'Keep' }).click()
await page.getByRole('button', { name: 'Delete Broken take' }).click()
await inspection.inspect('trouble-6-delete')
await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
await page.locator('.jobs li').filter({ hasText: 'Broken take' }).waitFor({ state: 'detached' })
seen.left = await titles()
console.log(JSON.stringify({ ...seen, axe: inspection.axe, wide: inspection.wide, complaints }))
await browser.close()
