"""Stands in for the enrich graph: the cheap model's first answer is the outcome, and where a judge is named it judges."""

from cupel.cascade import ask_judge, attempt_record, begin, check_by_code, conclude, settle_verdict, take_up
from cupel.engine import current_asking


class CheapAlone:
    """Asks the cheap model once; with `judge="always"` the judge says what it is worth."""

    async def ainvoke(self, given, _config=None, *, context):
        """As a compiled graph is invoked."""
        asking = current_asking()
        state = await begin(given, asking)
        work = await take_up(state, context, asking)
        state["attempts"] = [await attempt_record(work, asking, "cheap")]
        state["path"] = ["prepare", "extract"]
        if context.judge == "always":
            said = check_by_code(work) or await ask_judge(work, asking)
            state["verdicts"] = [settle_verdict(work, said, jury=None)]
        return conclude(state)


graph = CheapAlone()
