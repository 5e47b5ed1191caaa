// Walks through Flower as a person does while a job runs: reads, sorts, searches, follows the links.
// CHROMIUM, FLOWER_URL, FLOWER_LOGIN and PICTURES (a folder) come by the environment; the job is the argument.
// What was seen goes to standard output as JSON.
import { open } from './browser.mjs'

const { FLOWER_URL, FLOWER_LOGIN, PICTURES } = process.env
const [job] = process.argv.slice(2)
const { browser, page, complaints } = await open(FLOWER_LOGIN)
const seen = { complaints }

const picture = name => page.screenshot({ path: `${PICTURES}/${name}.png` })
const column = index => page.locator(`#tasks-table tbody tr td:nth-child(${index})`).allInnerTexts()
const state = async () => (await (await page.request.get(`${FLOWER_URL}/voxchord/jobs/${job}`)).json()).state

async function drawn(action) {
  const answer = page.waitForResponse(response => response.url().includes('/tasks/datatable'))
  await action()
  await answer
  await page.waitForTimeout(200)
}

await page.goto(`${FLOWER_URL}/workers`)
await page.locator('#workers-table tbody tr').nth(1).waitFor()
seen.workers = await page.locator('#workers-table tbody tr').allInnerTexts()
await picture('workers')

await drawn(() => page.goto(`${FLOWER_URL}/tasks`))
await picture('tasks')
seen.stateOnTasks = await state()
await drawn(() => page.fill('#tasks-table_filter input', job))
await drawn(() => page.click('.dataTables_scrollHead th:has-text("Stage")'))
seen.stages = await column(1)
seen.jobs = await column(2)
await picture('tasks-of-job-by-stage')
await drawn(() => page.fill('#tasks-table_filter input', `${job} diffusion state:SUCCESS`))
await drawn(() => page.click('.dataTables_scrollHead th:has-text("Speed")'))
await drawn(() => page.click('.dataTables_scrollHead th:has-text("Speed")'))
seen.decoded = await page.locator('#tasks-table tbody tr').first().locator('td').allInnerTexts()
seen.speeds = await column(7)
await picture('tasks-fastest-first')

await page.locator('#tasks-table tbody tr').first().locator('td:nth-child(12) a').click()
await page.locator('.detail-actions a').first().waitFor()
await picture('task')
await page.click('text=Attempts in the history')
seen.attempts = await page.locator('h1').innerText()
await picture('attempts')
await page.goBack()
await page.click('text=Report of the job')
seen.report = await page.locator('h1, h2').allInnerTexts()
seen.wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
await page.screenshot({ path: `${PICTURES}/report.png`, fullPage: true })

await page.goto(`${FLOWER_URL}/tasks`)
await page.locator('#tasks-table tbody tr td:nth-child(2) a').first().click()
seen.jobFromTable = await page.locator('#job-page code').innerText()
seen.stateOnPage = await page.locator('#job-state').innerText()
await picture('job')

await page.goto(`${FLOWER_URL}/workers`)
await page.click('#workers-table tbody a:has-text("work@")')
await page.click('#worker-tab-queues')
seen.queues = await page.locator('.tab-pane.active.show td:has-text("gpu.diffusion")').first().innerText()
await page.waitForTimeout(200)
await picture('worker-queues')
await page.goto(`${FLOWER_URL}/broker`)
seen.broker = await page.locator('tbody tr').allInnerTexts()
await picture('broker')

console.log(JSON.stringify(seen))
await browser.close()
