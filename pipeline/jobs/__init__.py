"""Jobs in the artifact store: plans in pages, coordination of their runs, outcomes and artifacts.

jobs/<job>/plan               the whole but for the words; written last, so that its presence means planned
jobs/<job>/plan.<page>        256 segments with their words
jobs/<job>/run                how often it was begun, from the second time on
jobs/<job>/begun              when that was, the last time
jobs/<job>/pulse              when something was last done for it
jobs/<job>/cancelled          a flag that every stage looks at
jobs/<job>/tries/<segment>.<stage>.<…>  an attempt that began; gone when it has ended in good order
jobs/<job>/failed/<segment>   why a segment can't be made
jobs/<job>/failure            why the job has no file
jobs/<job>/manifest           the result; its presence means finished. Beside it lie the files that it names
open/<job>                    somebody still waits: the jobs that a reconciler has to look at
segments/<..>/<key>/<stage>   what the stages made, shared by all jobs
speakers/<..>/<key>           speaker embeddings, one per voice and engine

Plans have a copy beside them (`<name>~`): nothing else could make them again. Who waits for a job is noted
beside it by `tasks.orchestration.roots`.
"""
