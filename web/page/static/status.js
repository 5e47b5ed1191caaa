// Names of a job's states.
const STATUS = { queued: 'Waiting', in_progress: 'Rendering', completed: 'Finished', failed: 'Failed' }

export const ended = status => status === 'completed' || status === 'failed'
export const statusOf = job => (job.error?.code === 'cancelled' ? 'Cancelled' : STATUS[job.status])
