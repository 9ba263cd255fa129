"""An answer as a span: what is known of it once it is there; its texts only where they are wanted."""

from collections.abc import Generator
from contextlib import closing

from rag_assets.platform.telemetry import Step, shows_content, traced

from .answer import Answer, Passage
from .answering import Event

Events = Generator[Event, None, list[Passage]]


def traced_answer(question: str, events: Events) -> Events:
    """The events of an answer, as one step of a trace."""

    def described(step: Step) -> Events:
        if shows_content():
            step.set({"ragline.question": question})
        with closing(events):
            while True:
                try:
                    event = next(events)
                except StopIteration as end:
                    return end.value
                if isinstance(event, Answer):
                    describe(step, event)
                yield event

    return (yield from traced("answer question", described))


def describe(step: Step, answer: Answer) -> None:
    """Tell a step which answer came out of it."""
    step.set(
        {
            "ragline.answer_id": answer.answer_id,
            "ragline.release_id": answer.release["id"],
            "ragline.abstained": answer.abstained,
            "ragline.weak_evidence": answer.weak_evidence,
            "ragline.answerer": answer.answerer,
            "ragline.degraded": ",".join(answer.degraded),
            "ragline.citations": len(answer.citations),
        }
    )
    if shows_content():
        step.set({"ragline.answer": answer.answer})
