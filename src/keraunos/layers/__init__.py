"""Layers: what networks are made of."""

# isort: off
from keraunos.core.missing import answer_for
from keraunos.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from keraunos.layers.attention import AdditiveAttention, Attention
from keraunos.layers.bidirectional import Bidirectional
from keraunos.layers.category_encoding import CategoryEncoding
from keraunos.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from keraunos.layers.convolutional import Conv1D, Conv2D, Conv3D
from keraunos.layers.convolutional_separable import DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from keraunos.layers.convolutional_transposed import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from keraunos.layers.core import Dense, Embedding, Identity, Lambda
from keraunos.layers.einsum_dense import EinsumDense
from keraunos.layers.feature_scaling import Discretization, Normalization
from keraunos.layers.flax_layer import FlaxLayer
from keraunos.layers.group_normalization import GroupNormalization
from keraunos.layers.gru import GRU, GRUCell
from keraunos.layers.hashing import HashedCrossing, Hashing
from keraunos.layers.images import CenterCrop, Rescaling, Resizing
from keraunos.layers.input_layer import Input, InputLayer, InputSpec
from keraunos.layers.jax_layer import JaxLayer
from keraunos.layers.layer import Layer
from keraunos.layers.lookup import IntegerLookup, StringLookup
from keraunos.layers.lstm import LSTM, LSTMCell
from keraunos.layers.margins import Cropping1D, Cropping2D, Cropping3D, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from keraunos.layers.masking import Masking
from keraunos.layers.merging import (
    Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract, add, average, concatenate, dot, maximum, minimum, multiply, subtract,
)  # fmt: skip
from keraunos.layers.multi_head_attention import GroupQueryAttention, MultiHeadAttention
from keraunos.layers.normalization import BatchNormalization, LayerNormalization
from keraunos.layers.pooling import AveragePooling1D, AveragePooling2D, AveragePooling3D, MaxPooling1D, MaxPooling2D, MaxPooling3D
from keraunos.layers.pooling_adaptive import (
    AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D, AdaptiveMaxPooling1D, AdaptiveMaxPooling2D, AdaptiveMaxPooling3D,
)  # fmt: skip
from keraunos.layers.pooling_global import (
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D, GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D,
)  # fmt: skip
from keraunos.layers.recurrent import RNN
from keraunos.layers.regularization import ActivityRegularization, AlphaDropout, Dropout, GaussianDropout, GaussianNoise
from keraunos.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from keraunos.layers.reversible_embedding import ReversibleEmbedding
from keraunos.layers.rnn_cells import StackedRNNCells
from keraunos.layers.serialization import deserialize, serialize
from keraunos.layers.simple_rnn import SimpleRNN, SimpleRNNCell
from keraunos.layers.spatial_dropout import SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from keraunos.layers.text_vectorization import TextVectorization
from keraunos.layers.tfsm import TFSMLayer
from keraunos.layers.time_distributed import TimeDistributed
from keraunos.layers.torch_module import TorchModuleWrapper
from keraunos.layers.unit_normalization import RMSNormalization, UnitNormalization
from keraunos.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D
from keraunos.layers.wrapper import SpectralNormalization, Wrapper

# The short and the long names of the same classes.
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D

__all__ = [
    "Activation", "ActivityRegularization", "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D", "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D", "Add", "AdditiveAttention", "AlphaDropout", "Attention", "Average", "AveragePooling1D",
    "AveragePooling2D", "AveragePooling3D", "AvgPool1D", "AvgPool2D", "AvgPool3D", "BatchNormalization", "Bidirectional", "CategoryEncoding", "CenterCrop",
    "Concatenate", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D",
    "Convolution1D", "Convolution1DTranspose", "Convolution2D", "Convolution2DTranspose", "Convolution3D", "Convolution3DTranspose", "Cropping1D",
    "Cropping2D", "Cropping3D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Discretization", "Dot", "Dropout", "ELU", "EinsumDense", "Embedding",
    "Flatten", "FlaxLayer", "GRU", "GRUCell", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalAveragePooling3D", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D", "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GroupNormalization", "GroupQueryAttention", "HashedCrossing", "Hashing", "Identity",
    "Input", "InputLayer", "InputSpec", "IntegerLookup", "JaxLayer", "LSTM", "LSTMCell", "Lambda", "Layer", "LayerNormalization", "LeakyReLU", "Masking",
    "MaxPool1D", "MaxPool2D", "MaxPool3D", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "Maximum", "Minimum", "MultiHeadAttention", "Multiply",
    "Normalization", "PReLU", "Permute", "RMSNormalization", "RNN", "ReLU", "RepeatVector", "Rescaling", "Reshape", "Resizing", "ReversibleEmbedding",
    "SeparableConv1D", "SeparableConv2D", "SeparableConvolution1D", "SeparableConvolution2D", "SimpleRNN", "SimpleRNNCell", "Softmax", "SpatialDropout1D",
    "SpatialDropout2D", "SpatialDropout3D", "SpectralNormalization", "StackedRNNCells", "StringLookup", "Subtract", "TFSMLayer", "TextVectorization",
    "TimeDistributed", "TorchModuleWrapper", "UnitNormalization", "UpSampling1D", "UpSampling2D", "UpSampling3D", "Wrapper", "ZeroPadding1D",
    "ZeroPadding2D", "ZeroPadding3D", "add", "average", "concatenate", "deserialize", "dot", "maximum", "minimum", "multiply", "serialize", "subtract",
]  # fmt: skip


answer_for(__name__)
