"""A regression that trains in a second, as a config may import it."""

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import nn
from torch.utils.data import Dataset


@MODELS.register_module()
class ToyRegressor(BaseModel):
    def __init__(self, width=4, norm=None):
        super().__init__()
        self.norm = nn.BatchNorm1d(width) if norm else nn.Identity()
        self.linear = nn.Linear(width, 1)

    def forward(self, inputs, target, mode='tensor'):
        error = self.linear(self.norm(inputs)).squeeze(-1) - target
        if mode == 'loss':
            return {'loss': error.square().mean()}
        return list(error)


@DATASETS.register_module()
class ToyDataset(Dataset):
    def __init__(self, length=16, data_root=None):
        generator = torch.Generator().manual_seed(1)
        self.inputs = torch.randn(length, 4, generator=generator)

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return {'inputs': self.inputs[index], 'target': self.inputs[index].sum()}


@METRICS.register_module()
class ToyError(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [abs(float(error)) for error in data_samples]

    def compute_metrics(self, results):
        return {'error': sum(results) / len(results)}
