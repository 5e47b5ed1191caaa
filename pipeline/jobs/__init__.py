"""Jobs in the artifact store: plans in pages, coordination of their runs, outcomes and artifacts.

jobs/<job>/plan               the plan without the words; written last, so that its presence means planned
jobs/<job>/plan.<page>        256 segments with their words
jobs/<job>/summary            form, speakers, words and notices of the script
jobs/<job>/written            texts of turns that are spoken in other words
jobs/<job>/book, cover, source, reading  the script beside its words (`script_record`)
jobs/<job>/run                number of runs, from the second on
jobs/<job>/begun              start of the last run
jobs/<job>/pulse              time of the last progress
jobs/<job>/backoff            failures to resume the job, and when it is tried again
jobs/<job>/cancelled          flag that every stage checks
jobs/<job>/tries/<segment>.<stage>.<…>  a running attempt; removed at its regular end
jobs/<job>/failed/<segment>   reason why a segment failed
jobs/<job>/failure            reason why the job failed
jobs/<job>/manifest           the result; its presence means finished. The files it names are beside it
jobs/<job>/actions/<…>        who retried or cancelled the job, and when
jobs/<job>/unserved           time since when nobody serves the device that the job asks for
jobs/<job>/revisions/<n>/<…>  files with other takes, chosen by hand (`revisions`)
jobs/<job>/notified/<…>       outcomes that were announced (`outbox`)
jobs/<job>/not-handed-over    the job's file is never handed over by itself (`tasks.handover`)
open/<job>                    jobs that a client waits for, which the reconciler checks
segments/<..>/<key>/<stage>   products of the stages, shared by all jobs; takes and verdicts are in `takes`
speakers/<..>/<key>           speaker embeddings, one per voice and engine

Plans have a copy beside them (`<name>~`), since they cannot be made again. `tasks.orchestration.roots` stores
the waiting clients beside a job.
"""
