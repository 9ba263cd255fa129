"""The erasers of everything that evaluations keep about documents, in the order in which they run.

They run before the query log's: it knows which real answers were made from the document.
"""

from rag_assets.erasure.base import Eraser

from .answer_evaluation.erasure import AnswerEvaluationEraser
from .evaluation_dashboard.erasure import DashboardEraser
from .golden_questions.erasure import GoldenQuestionsEraser
from .golden_questions.set_erasure import QuestionSetsEraser
from .judges.erasure import JudgementEraser
from .live.erasure import LiveEvaluationEraser
from .replay.erasure import ReplayEraser
from .retrieval_evaluation.erasure import RetrievalEvaluationEraser
from .summary_erasure import SummaryEraser


def evaluation_erasers() -> list[Eraser]:
    """What uses the traces of others comes first, so that an interrupted erasure can be repeated.

    Answers are found by the golden questions and retrieval evaluations that know what rests on a
    document; those, by nothing but themselves.
    """
    return [
        DashboardEraser(),
        AnswerEvaluationEraser(),
        RetrievalEvaluationEraser(),
        ReplayEraser(),
        JudgementEraser(),
        LiveEvaluationEraser(),
        SummaryEraser(),
        GoldenQuestionsEraser(),
        QuestionSetsEraser(),
    ]
