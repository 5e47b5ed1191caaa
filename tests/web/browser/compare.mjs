// Two jobs that are chosen from the list, side by side.
import { open } from './browser.mjs'
import { Inspection } from './inspection.mjs'

const [a, b] = process.argv.slice(2)
const { browser, page, complaints } = await open()
const inspection = new Inspection(page)
const seen = {}
await page.goto(`${process.env.PAGE_URL}/#/jobs`)
await page.getByRole('checkbox', { name: `Compare ${a}`, exact: true }).check()
await page.getByText('Choose another job to compare.').waitFor()
await page.getByRole('checkbox', { name: `Compare ${b}`, exact: true }).check()
await inspection.inspect('compare-1-list')
await page.getByRole('link', { name: 'Compare these two' }).click()
await page.getByRole('heading', { name: 'Two jobs compared' }).waitFor()
seen.titles = await page.locator('.sides a').allTextContents()
seen.summary = await page.locator('.compare > .muted').textContent()
seen.settings = await page.locator('.compare table').first().locator('tbody tr').evaluateAll(rows => rows.map(row => [...row.cells].map(cell => cell.textContent)))
seen.removed = await page.locator('.changes .removed .words').allTextContents()
seen.added = await page.locator('.changes .added .words').allTextContents()
seen.stages = await page.locator('tr.stage th').evaluateAll(heads => heads.map(head => head.firstChild.textContent))
seen.figures = await page.locator('.compare table').last().locator('tbody tr:not(.stage)').evaluateAll(rows => rows.map(row => [...row.cells].map(cell => cell.textContent)))
await inspection.inspect('compare-2')
await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
await inspection.inspect('compare-3-cost')
await page.goto(`${process.env.PAGE_URL}/#/compare/nobody/no-one`)
await page.getByText('does not exist').waitFor()
console.log(JSON.stringify({ ...seen, axe: inspection.axe, wide: inspection.wide, complaints }))
await browser.close()
