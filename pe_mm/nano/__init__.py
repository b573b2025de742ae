"""The paper's claims at nano scale: a chain of trainings and measurements."""

from .chain import Step, run_steps
from .claims import claims_table
from .steps import ChainOptions, build_steps

__all__ = ['ChainOptions', 'Step', 'build_steps', 'claims_table', 'run_steps']
